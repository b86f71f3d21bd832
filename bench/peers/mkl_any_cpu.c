// Preloaded into PyTorch on processors that are not Intel's: MKL, which computes PyTorch's f32
// products, takes its AVX-512 code there only if this says so, and is half as fast without.
int mkl_serv_intel_cpu_true(void) { return 1; }
