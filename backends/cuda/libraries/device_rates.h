// What the current device reaches when it does nothing else: the ceilings that kernels are judged
// by.
#pragma once

namespace grimace::cuda {

// Zero: not measured, for lack of memory.
struct DeviceRates {
  double copy_bytes_per_second = 0;  // device to device, bytes read plus bytes written
  double bf16_flops = 0;             // matrix products, operations per second
  double tf32_flops = 0;
  double f32_flops = 0;
};
// Takes about a second, and up to 3 GiB of the device's memory meanwhile. RunError where there is
// no device.
DeviceRates measure_device_rates();

}  // namespace grimace::cuda
