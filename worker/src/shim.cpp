// What PyTorch's optimizers use and tch does not reach: the scalar arguments of in-place additions,
// the switch for deterministic kernels, and the buffers of TorchScript modules. Each function returns 0, or 1 and the reason in `error`,
// a buffer of `length` bytes. Tensors are tch's own pointers.

#include <ATen/Context.h>
#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <cstdio>
#include <exception>
#include <istream>
#include <streambuf>
#include <string>

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

// Reads bytes where they are, without a copy of them.
struct Bytes : std::streambuf {
  Bytes(const char* bytes, size_t count) {
    char* begin = const_cast<char*>(bytes);
    setg(begin, begin, begin + count);
  }

  pos_type seekoff(off_type offset, std::ios_base::seekdir from, std::ios_base::openmode) override {
    char* base = from == std::ios_base::beg ? eback() : from == std::ios_base::cur ? gptr() : egptr();
    setg(eback(), base + offset, egptr());
    return gptr() - eback();
  }

  pos_type seekpos(pos_type position, std::ios_base::openmode mode) override {
    return seekoff(off_type(position), std::ios_base::beg, mode);
  }
};

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

// Loads a TorchScript module on the CPU.
int rangefinder_script_load(const char* bytes, size_t count, torch::jit::Module** module, char* error,
                            size_t length) {
  return guarded(error, length, [&] {
    Bytes buffer(bytes, count);
    std::istream stream(&buffer);
    *module = new torch::jit::Module(torch::jit::load(stream, c10::Device(c10::kCPU)));
  });
}

// Calls `visit` with each parameter and then each buffer, as tensors that the caller owns.
int rangefinder_script_state(const torch::jit::Module* module, void* context,
                             void (*visit)(void*, const char*, bool, at::Tensor*), char* error,
                             size_t length) {
  return guarded(error, length, [&] {
    for (const auto& named : module->named_parameters()) {
      visit(context, named.name.c_str(), true, new at::Tensor(named.value));
    }
    for (const auto& named : module->named_buffers()) {
      visit(context, named.name.c_str(), false, new at::Tensor(named.value));
    }
  });
}

// Writes the module as a file.
int rangefinder_script_save(const torch::jit::Module* module, void* context,
                            void (*write)(void*, const void*, size_t), char* error, size_t length) {
  return guarded(error, length, [&] {
    module->save([&](const void* bytes, size_t count) {
      write(context, bytes, count);
      return count;
    });
  });
}

void rangefinder_script_free(torch::jit::Module* module) { delete module; }
}
