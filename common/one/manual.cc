// SPDX-License-Identifier: Apache-2.0
#include "common/one/manual.h"

namespace {

// Plain text as POD: 'C<' and the like would be formatting codes.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '<')
      out += "E<lt>";
    else if (c == '>')
      out += "E<gt>";
    else
      out += c;
  }
  return out;
}

std::string_view input(Input form) {
  switch (form) {
    case Input::base64_xml:
      return "One line of base64: an XML document.";
    case Input::xml:
      return "An XML document, to the end of the input.";
    case Input::none:
      break;
  }
  return "None: standard input is not read.";
}

std::string synopsis(const Contract& contract) {
  std::string text{contract.name};
  if (!contract.args.empty()) text.append(" ").append(contract.args);
  if (contract.input != Input::none) text += " < REQUEST";
  return text;
}

constexpr std::string_view statuses = R"(=over 4

=item B<0>

Done.

=item B<1>

Failed. Standard error holds one line that says why.

=item B<2>

The arguments or the input could not be understood.

=item B<143>

Cancelled by a signal.

=back
)";

constexpr std::string_view always_zero = "Always 0. Troubles are reported on standard error.\n";

}  // namespace

std::string manual(const Contract& contract) {
  std::string pod = "=head1 NAME\n\n";
  pod.append(escaped(contract.name)).append(" - ").append(escaped(contract.summary));
  pod.append("\n\n=head1 SYNOPSIS\n\n ").append(synopsis(contract));
  if (!contract.description.empty())
    pod.append("\n\n=head1 DESCRIPTION\n\n").append(contract.description);
  pod.append("\n\n=head1 INPUT\n\n").append(input(contract.input));
  pod.append("\n\n=head1 OUTPUT\n\n");
  pod.append(contract.reply.empty() ? "Nothing." : contract.reply);
  pod.append("\n\n=head1 EXIT STATUS\n\n");
  pod.append(contract.failure == Failure::reported ? always_zero : statuses);
  return pod + "\n=cut\n";
}

std::string short_help(const Contract& contract) {
  std::string text = "usage: " + synopsis(contract) + "\n";
  text.append(contract.summary).append(".\n").append(input(contract.input)).append("\n");
  return text + "--pod prints the manual page.\n";
}
