// Errors of the shim's functions: each returns 0, or 1 and the reason in `error`, a buffer of `length`
// bytes.
#pragma once

#include <cstddef>
#include <cstdio>
#include <exception>

template <typename Body>
int guarded(char* error, std::size_t length, Body body) {
  try {
    body();
    return 0;
  } catch (const std::exception& thrown) {
    std::snprintf(error, length, "%s", thrown.what());
  } catch (...) {
    // Nothing may pass into Rust.
    std::snprintf(error, length, "something was thrown that is no exception");
  }
  return 1;
}
