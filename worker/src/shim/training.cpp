// What PyTorch's training loop uses and tch does not reach: the fused optimizers, clearing of
// gradients, autocast, the arithmetic of a GPU, uploads that overlap the step, and the switch for
// deterministic kernels. Tensors are tch's own pointers; lists are arrays of `count` of them.

#include <ATen/ATen.h>
#include <ATen/Context.h>
#include <ATen/autocast_mode.h>
#include <c10/core/Event.h>
#include <c10/core/StreamGuard.h>
#include <c10/core/impl/VirtualGuardImpl.h>

#include <unordered_map>
#include <vector>

#include "guarded.h"

namespace {

using List = const at::Tensor* const*;

std::vector<at::Tensor> tensors(List list, size_t count) {
  std::vector<at::Tensor> all;
  all.reserve(count);
  for (size_t i = 0; i < count; ++i) all.push_back(*list[i]);
  return all;
}

// Gradients in the memory order of their weights: the fused kernels walk the memory of both alike.
std::vector<at::Tensor> laid_out(const std::vector<at::Tensor>& weights, List gradients) {
  auto all = tensors(gradients, weights.size());
  for (size_t i = 0; i < all.size(); ++i) {
    if (all[i].strides() != weights[i].strides()) all[i] = at::empty_like(weights[i]).copy_(all[i]);
  }
  return all;
}

// The stream on which a thread's uploads to a GPU run, one for each GPU.
c10::Stream upload_stream(const c10::impl::VirtualGuardImpl& gpu, c10::Device device) {
  static thread_local std::unordered_map<int, c10::Stream> streams;
  auto found = streams.find(device.index());
  if (found == streams.end()) {
    found = streams.emplace(device.index(), gpu.getStreamFromGlobalPool(device)).first;
  }
  return found->second;
}

}  // namespace

extern "C" {

// One step of torch.optim.SGD(fused=True). `buffers` are the momenta, null without momentum;
// `first` says that this is the first step that they see.
int rangefinder_sgd(List weights, List gradients, List buffers, size_t count, bool first, double lr,
                    double momentum, double dampening, bool nesterov, double weight_decay,
                    char* error, size_t length) {
  return guarded(error, length, [&] {
    at::NoGradGuard no_grad;
    const auto weight = tensors(weights, count);
    at::_fused_sgd_(weight, laid_out(weight, gradients),
                    buffers ? tensors(buffers, count) : std::vector<at::Tensor>(), weight_decay,
                    momentum, lr, dampening, nesterov, /*maximize=*/false, first);
  });
}

// One step of torch.optim.Adam(fused=True), or of AdamW where `decoupled`. `steps` count the updates
// so far, one float32 number for each weight; they are counted up here.
int rangefinder_adam(List weights, List gradients, List first, List second, List steps, size_t count,
                     bool decoupled, double lr, double beta1, double beta2, double weight_decay,
                     double eps, char* error, size_t length) {
  return guarded(error, length, [&] {
    at::NoGradGuard no_grad;
    auto counted = tensors(steps, count);
    if (count > 0 && counted[0].is_cpu()) {
      for (auto& step : counted) *step.mutable_data_ptr<float>() += 1;
    } else {
      at::_foreach_add_(counted, 1);
    }
    auto fused = [&](auto update) {
      const auto weight = tensors(weights, count);
      update(weight, laid_out(weight, gradients), tensors(first, count),
             tensors(second, count), /*max_exp_avg_sqs=*/std::vector<at::Tensor>(), counted, lr, beta1,
             beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false);
    };
    if (decoupled) {
      fused([](auto&&... arguments) { at::_fused_adamw_(arguments...); });
    } else {
      fused([](auto&&... arguments) { at::_fused_adam_(arguments...); });
    }
  });
}

// One step of torch.optim.RMSprop, which has no fused form, by the operations of its loop.
// `buffers` are the momenta, null without momentum.
int rangefinder_rmsprop(List weights, List gradients, List second, List buffers, size_t count,
                        double lr, double alpha, double eps, double momentum, double weight_decay,
                        char* error, size_t length) {
  return guarded(error, length, [&] {
    at::NoGradGuard no_grad;
    auto weight = tensors(weights, count);
    auto square = tensors(second, count);
    auto gradient = tensors(gradients, count);
    if (weight_decay != 0) gradient = at::_foreach_add(gradient, weight, weight_decay);
    at::_foreach_mul_(square, alpha);
    at::_foreach_addcmul_(square, gradient, gradient, 1 - alpha);
    auto denominator = at::_foreach_sqrt(square);
    at::_foreach_add_(denominator, eps);
    if (!buffers) {
      at::_foreach_addcdiv_(weight, gradient, denominator, -lr);
      return;
    }
    auto buffer = tensors(buffers, count);
    at::_foreach_mul_(buffer, momentum);
    at::_foreach_addcdiv_(buffer, gradient, denominator, 1);
    at::_foreach_add_(weight, buffer, -lr);
  });
}

// Forgets the gradients of leaves, so that the next backward pass sets them instead of adding.
int rangefinder_clear_gradients(List leaves, size_t count, char* error, size_t length) {
  return guarded(error, length, [&] {
    for (size_t i = 0; i < count; ++i) leaves[i]->mutable_grad().reset();
  });
}

// Switches this thread's autocast to bfloat16 on or off. Leaving it forgets the copies of weights
// that it keeps, as PyTorch's context manager does.
int rangefinder_autocast(bool cuda, bool on, char* error, size_t length) {
  return guarded(error, length, [&] {
    const auto device = cuda ? at::kCUDA : at::kCPU;
    at::autocast::set_autocast_dtype(device, at::kBFloat16);
    at::autocast::set_autocast_enabled(device, on);
    at::autocast::set_autocast_cache_enabled(true);
    if (!on) at::autocast::clear_cache();
  });
}

// Whether a GPU may compute products and convolutions of float32 in TF32.
int rangefinder_allow_tf32(bool on, char* error, size_t length) {
  return guarded(error, length, [&] {
    at::globalContext().setAllowTF32CuBLAS(on);
    at::globalContext().setAllowTF32CuDNN(on);
  });
}

// A copy of `host` on GPU `index`. It is copied from pinned memory on a stream of its own, while the
// steps before go on; what the caller does next on the GPU waits for it, the caller does not.
int rangefinder_upload(const at::Tensor* host, int index, at::Tensor** copy, char* error,
                       size_t length) {
  return guarded(error, length, [&] {
    const c10::Device device(c10::kCUDA, static_cast<c10::DeviceIndex>(index));
    const c10::impl::VirtualGuardImpl gpu(c10::kCUDA);
    const auto compute = gpu.getStream(device);
    const auto side = upload_stream(gpu, device);
    const auto pinned = host->pin_memory();
    at::Tensor uploaded;
    c10::Event done(c10::kCUDA);
    {
      c10::StreamGuard guard(side);
      uploaded = pinned.to(device, /*non_blocking=*/true);
      done.record(side);
    }
    done.block(compute);
    uploaded.record_stream(compute);
    *copy = new at::Tensor(uploaded);
  });
}

// Chooses deterministic kernels where libtorch has them, and warns where it has none. Memory is not
// filled before it is written, as PyTorch does it to find what reads it too early.
int rangefinder_set_deterministic(bool on, char* error, size_t length) {
  return guarded(error, length, [&] {
    at::globalContext().setDeterministicAlgorithms(on, /*warn_only=*/true);
    at::globalContext().setDeterministicCuDNN(on);
    at::globalContext().setDeterministicFillUninitializedMemory(false);
  });
}
}
