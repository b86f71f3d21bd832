"""Where a comparison runs, on the CPU or on a GPU: who takes part, and when the machine is quiet."""

import contextlib
import os
import platform
import subprocess
import threading
import time
from pathlib import Path

from comparing.process import Failed, fail, last_words

IDLE_ENOUGH = 0.95  # of all cores, before a sample
BUSY_GPU = 5  # percent of the time: what others may take of a GPU before a sample
WAIT_SECONDS = 600  # for that much idle time


def cpu_times():
    """(idle, all) seconds of all cores since the machine started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:9]
    ticks = [int(field) / os.sysconf("SC_CLK_TCK") for field in fields]
    return ticks[3] + ticks[4], sum(ticks)


def idle_share(seconds):
    idle, total = cpu_times()
    time.sleep(seconds)
    later_idle, later_total = cpu_times()
    return (later_idle - idle) / max(later_total - total, 1e-9)


def cpu_name():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


# What holds PyTorch, its compiler, MKL and oneDNN to an instruction set, as GRIMACE_ISA does Grimace.
# ONNX Runtime has no such setting.
HELD_TO = {
    isa: {
        "ATEN_CPU_CAPABILITY": isa,
        "MKL_ENABLE_INSTRUCTIONS": isa.upper(),
        "ONEDNN_MAX_CPU_ISA": onednn,
    }
    for isa, onednn in (("avx2", "AVX2"), ("avx512", "AVX512_CORE_BF16"))
}


class Cpu:
    flags = ()  # of both programs
    look_seconds = 1.0  # at how idle the cores are
    precisions = ("bf16", "f32")
    batches = {"pretrain": [8], "finetune": [4], "inference": [1, 8]}

    def __init__(self, build, peers, threads, isa=None):
        self.build, self.peers, self.threads, self.isa = build, peers, threads, isa
        if isa == "avx2":  # where PyTorch's bf16 takes minutes a step
            self.precisions = ("f32",)

    def peers_of(self, work, precision, quick):
        torch = ["eager", "sdpa", "compile", "compile-sdpa"]
        if work != "inference" or self.isa:
            return torch
        if precision == "bf16":  # ONNX Runtime has no bf16 on CPUs
            return torch + ["eager-cast", "sdpa-cast", "compile-cast", "openvino"]
        return torch + ["onnxruntime", "openvino"]

    def steps_of(self, row, quick):
        """(measured, warm-up) steps of a sample."""
        if quick:
            return 2, 1
        return (10, 3) if row["work"] == "inference" and row["batch"] == 1 else (4, 2)

    def environment(self):
        """Of the peers. glibc gives large blocks back to the system at every free; without that,
        PyTorch's steps are up to a quarter faster, so a careful user turns it off.
        """
        environment = {
            "MALLOC_MMAP_MAX_": "0",
            "MALLOC_TRIM_THRESHOLD_": str(10**12),
            "TORCHINDUCTOR_CACHE_DIR": str(self.build / f"peers-cache{self.isa or ''}"),
            "OMP_NUM_THREADS": str(self.threads),
            **HELD_TO.get(self.isa, {}),
        }
        if "GenuineIntel" not in Path("/proc/cpuinfo").read_text():
            library = self.build / "mkl_any_cpu.so"
            source = self.peers / "mkl_any_cpu.c"
            subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source], check=True)
            environment["LD_PRELOAD"] = str(library)
        return environment

    def is_quiet(self, idle):
        return idle >= IDLE_ENOUGH

    def wait_until_quiet(self, force):
        """The idle share of the cores before a sample."""
        deadline = time.monotonic() + WAIT_SECONDS
        while not self.is_quiet(idle := idle_share(self.look_seconds)) and not force:
            if time.monotonic() > deadline:
                fail(f"only {idle:.0%} of the cores idle after {WAIT_SECONDS} s; --force goes on")
            time.sleep(5)
        return idle

    @contextlib.contextmanager
    def watch(self, memory):
        """Puts what a process took into `memory`; on the CPU every process says it itself."""
        yield

    def about(self):
        return {}


def ask_nvidia(device, *fields):
    """What nvidia-smi says of one GPU; Failed when there is none."""
    command = ["nvidia-smi", f"--id={device}", f"--query-gpu={','.join(fields)}"]
    try:
        done = subprocess.run(
            [*command, "--format=csv,noheader,nounits"], capture_output=True, text=True, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Failed(f"nvidia-smi: {error}") from None
    if done.returncode != 0:
        raise Failed(last_words(done))
    return [part.strip() for part in done.stdout.strip().splitlines()[0].split(",")]


class Gpu(Cpu):
    look_seconds = 0.3
    precisions = ("bf16", "tf32", "f32")
    batches = {work: [32, 128, 256] for work in ("pretrain", "finetune", "inference")}

    def __init__(self, build, peers, threads, device):
        super().__init__(build, peers, threads)
        self.device = device
        self.flags = ("--backend", "cuda", "--device", str(device))
        self.name, self.driver, self.memory_mb = ask_nvidia(
            device, "name", "driver_version", "memory.total"
        )

    def peers_of(self, work, precision, quick):
        cast = "-cast" if work == "inference" and precision == "bf16" else ""
        if quick:
            return ["sdpa", f"sdpa{cast}-graph", f"compile-sdpa{cast}-graph"]
        peers = ["eager", "sdpa", "sdpa-graph", "compile", "compile-sdpa"]
        peers += ["compile-sdpa-overhead", "compile-sdpa-graph", "compile-sdpa-max-graph"]
        if precision == "bf16":  # cuDNN's attention is for 16 bits
            peers += ["cudnn-graph", "compile-cudnn-graph"]
        if cast:
            peers += ["sdpa-cast-graph", "compile-sdpa-cast-graph", "compile-sdpa-max-cast-graph"]
        return peers

    def steps_of(self, row, quick):
        return (10, 3) if quick else (30, 5)

    def environment(self):
        return {
            "TORCHINDUCTOR_CACHE_DIR": str(self.build / "peers-cache"),
            "OMP_NUM_THREADS": str(self.threads),
        }

    def is_quiet(self, idle):
        busy = ask_nvidia(self.device, "utilization.gpu")[0]
        return idle >= IDLE_ENOUGH and (not busy.isdigit() or int(busy) <= BUSY_GPU)

    @contextlib.contextmanager
    def watch(self, memory):
        """memory["mb"]: the most of the GPU's memory that was in use meanwhile, less what was in
        use before. Empty when nvidia-smi cannot say.
        """
        before = ask_nvidia(self.device, "memory.used")[0]
        command = ["nvidia-smi", f"--id={self.device}", "--query-gpu=memory.used"]
        command += ["--format=csv,noheader,nounits", "--loop-ms=100"]
        watcher = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        seen = []
        reader = threading.Thread(target=lambda: seen.extend(watcher.stdout))
        reader.start()
        try:
            yield
        finally:
            watcher.terminate()
            watcher.wait()
            reader.join()
            used = [int(line) for line in seen if line.strip().isdigit()]
            if used and before.isdigit():
                memory["mb"] = max(used) - int(before)

    def about(self):
        return {"gpu": self.name, "driver": self.driver, "gpu_memory_mb": int(self.memory_mb)}
