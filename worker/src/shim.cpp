// What PyTorch's optimizers use and tch does not reach: the scalar arguments of in-place additions,
// and the switch for deterministic kernels. Each function returns 0, or 1 and the reason in `error`,
// a buffer of `length` bytes. Tensors are tch's own pointers.

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>

#include <cstdio>
#include <exception>

namespace {

template <typename Body>
int guarded(char* error, size_t length, Body body) {
  try {
    body();
    return 0;
  } catch (const std::exception& thrown) {
    std::snprintf(error, length, "%s", thrown.what());
    return 1;
  }
}

}  // namespace

extern "C" {

// self += alpha * other
int rangefinder_add(at::Tensor* self, const at::Tensor* other, double alpha, char* error,
                    size_t length) {
  return guarded(error, length, [&] { self->add_(*other, alpha); });
}

// self += value * first * second
int rangefinder_addcmul(at::Tensor* self, const at::Tensor* first, const at::Tensor* second,
                        double value, char* error, size_t length) {
  return guarded(error, length, [&] { self->addcmul_(*first, *second, value); });
}

// self += value * first / second
int rangefinder_addcdiv(at::Tensor* self, const at::Tensor* first, const at::Tensor* second,
                        double value, char* error, size_t length) {
  return guarded(error, length, [&] { self->addcdiv_(*first, *second, value); });
}

// Chooses deterministic kernels where libtorch has them, and warns where it has none.
int rangefinder_set_deterministic(bool on, char* error, size_t length) {
  return guarded(error, length, [&] {
    at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/true);
    at::globalContext().setDeterministicCuDNN(on);
  });
}
}
