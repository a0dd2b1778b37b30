// TorchScript modules, for what tch does not reach: their buffers, and saving them to memory.

#include <torch/csrc/jit/api/module.h>
#include <torch/csrc/jit/serialization/import.h>

#include <istream>
#include <sstream>
#include <streambuf>
#include <string>

#include "guarded.h"

namespace {

// Reads bytes where they are, without a copy of them. A place outside of them, which a damaged file
// may name, cannot be sought.
struct Bytes : std::streambuf {
  Bytes(const char* bytes, size_t count) {
    char* begin = const_cast<char*>(bytes);
    setg(begin, begin, begin + count);
  }

  pos_type seekoff(off_type offset, std::ios_base::seekdir from, std::ios_base::openmode) override {
    const off_type length = egptr() - eback();
    const off_type base = from == std::ios_base::beg ? 0 : from == std::ios_base::cur ? gptr() - eback() : length;
    if (offset < -base || offset > length - base) return pos_type(off_type(-1));
    setg(eback(), eback() + base + offset, egptr());
    return base + offset;
  }

  pos_type seekpos(pos_type position, std::ios_base::openmode mode) override {
    return seekoff(off_type(position), std::ios_base::beg, mode);
  }
};

}  // namespace

extern "C" {

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

// Calls `write` with the bytes of the module's file.
int rangefinder_script_save(const torch::jit::Module* module, void* context,
                            void (*write)(void*, const char*, size_t), char* error, size_t length) {
  return guarded(error, length, [&] {
    std::ostringstream file;
    module->save(file);
    const std::string bytes = file.str();
    write(context, bytes.data(), bytes.size());
  });
}

void rangefinder_script_free(torch::jit::Module* module) { delete module; }
}
