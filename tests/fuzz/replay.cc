// SPDX-License-Identifier: Apache-2.0
// replay --list: the names of all targets.  replay NAME FILE...: gives each file to that one.

#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <string_view>

#include "tests/fuzz/fuzz.h"

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view{argv[1]} == "--list") {
    for (const auto& target : fuzz::targets()) std::cout << target.name << '\n';
    return 0;
  }
  for (int i = 2; i < argc; ++i) {
    std::ifstream in{argv[i], std::ios::binary};
    if (!in) {
      std::cerr << "cannot read " << argv[i] << '\n';
      return 1;
    }
    // For whoever has to find the file that ends us.
    std::cout << argv[i] << std::endl;
    fuzz::run(argv[1], std::string{std::istreambuf_iterator<char>{in}, {}});
  }
  return argc < 3 ? 2 : 0;
}
