// SPDX-License-Identifier: Apache-2.0
// Owners for things that must be given back exactly once.
#pragma once

#include <unistd.h>

#include <memory>
#include <utility>

// A descriptor-like int, closed by `Close`.  -1 means "owns nothing".
template <auto Close>
class UniqueInt {
 public:
  explicit UniqueInt(int value = -1) : value_{value} {}
  UniqueInt(UniqueInt&& other) noexcept : value_{other.release()} {}
  UniqueInt& operator=(UniqueInt&& other) noexcept {
    reset(other.release());
    return *this;
  }
  ~UniqueInt() { reset(); }

  int get() const { return value_; }
  explicit operator bool() const { return value_ != -1; }
  int release() { return std::exchange(value_, -1); }
  void reset(int value = -1) {
    if (value_ != -1) Close(value_);
    value_ = value;
  }

 private:
  int value_;
};

using Fd = UniqueInt<::close>;

// A pointer from a C library, given back by `Free`:
//   using Domain = Owned<virDomain, virDomainFree>;
template <auto Free>
struct FreeWith {
  template <class T>
  void operator()(T* pointer) const {
    Free(pointer);
  }
};

template <class T, auto Free>
using Owned = std::unique_ptr<T, FreeWith<Free>>;
