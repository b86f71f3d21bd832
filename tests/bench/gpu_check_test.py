"""scripts/gpu-check on a bundle of stand-ins: every stage, what it says of failures, its limits."""

import os
import shutil
import subprocess
import tarfile
import tempfile
import textwrap
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent

GRIMACE = """
    if [ "$1" = --version ]; then echo grimace 0; exit; fi
    case "$1 $2" in
      "doctor ") printf 'GPU 0  Stand-in, 132 multiprocessors\\nThis machine is ready.\\n' ;;
      "verify --backend")
        for file; do case "$7 $file" in
          *broken*) echo "error" >&2; exit 2 ;;
          bf16*/targets* | tf32*/targets*) echo "$file: SKIPPED, a kind for f32" ;;
          *.safetensors) echo "$file: PASS, 3 of 3 tensors within their limits"; any=1 ;;
        esac; done
        [ -n "$any" ] || exit 2 ;;
      "bench op") echo '{"step_ms": 1, "rows": []}' ;;
      "bench step")
        case "$*" in
          *256*) echo "too large" >&2; exit 1 ;;
          *--json*)
            echo '{"work": "pretrain", "batch": 128, "precision": "bf16", "clips_per_s": 5,' \\
              '"gflops": 7, "planned_mb": 9, "slow_nodes": []}' ;;
          *--profile*) echo "profile"; echo '{}' > "${@: -1}" ;;
          *) echo step ;;
        esac ;;
    esac
"""
TESTS = """
    case "$1" in
      --gtest_list_tests)
        printf 'Running main() from somewhere.cc\\nGood.\\n  a\\n  b\\n  c\\n'
        printf 'Bad/Suite.\\n  x/0  # GetParam() = 1\\nCrash.\\n  y\\nCudaGolden.\\n  z\\n' ;;
      *Good.*) echo '[  PASSED  ] 3 tests.' ;;
      *Bad/Suite.*) printf '[  PASSED  ] 1 test.\\n[  FAILED  ] 2 tests, listed below:\\n'; exit 1 ;;
      *Crash.*) if [ -n "$HANG" ]; then echo $$ > "$SEEN"; sleep 1000; fi; kill -SEGV $$ ;;
      *) echo "asked for $1"; exit 3 ;;
    esac
"""
SANITIZER = """
    echo "$@" >> "$SEEN"
    echo "========= ERROR SUMMARY: 0 errors"
"""


class GpuCheckTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)
        self.bundle = self.dir / "a bundle"  # folders may have spaces
        golden = self.bundle / "tests" / "golden"
        golden.mkdir(parents=True)
        for name in ("vit_finetune_tiny", "targets_tiny", "other"):
            (golden / f"{name}.safetensors").touch()
        shutil.copy(ROOT / "scripts" / "gpu-check", self.bundle / "run")
        self.pack(GRIMACE)
        self.path = self.dir / "bin"
        self.path.mkdir()
        self.write(self.path / "nvidia-smi", "echo Stand-in")
        self.write(self.path / "compute-sanitizer", SANITIZER)

    def pack(self, grimace):
        with tarfile.open(self.bundle / "programs.tar.gz", "w:gz") as programs:
            for name, body in (("grimace", grimace), ("test_cuda", TESTS)):
                self.write(self.dir / name, body)
                programs.add(self.dir / name, name)

    def write(self, path, body):
        path.write_text("#!/usr/bin/env bash\n" + textwrap.dedent(body))
        path.chmod(0o755)

    def run_check(self, *options, **environment):
        environment = {
            **os.environ,
            "PATH": f"{self.path}:{os.environ['PATH']}",
            "OUT": str(self.dir / "out"),
            "SEEN": str(self.dir / "seen"),
            "GRIMACE_PEERS_PYTHON": shutil.which("false"),
            **environment,
        }
        done = subprocess.run(
            [self.bundle / "run", *options], capture_output=True, text=True, env=environment
        )
        rows = {}
        summary = self.dir / "out" / "summary.txt"
        for line in summary.read_text().splitlines()[1:] if summary.exists() else ():
            stage, result, *rest = line.replace("not run", "not-run").split(None, 3)
            rows[stage] = (result, rest[-1])
        return done, rows

    def said(self, stage):
        return (self.dir / "out" / f"{stage}.txt").read_text()

    def test_every_stage_runs_whatever_became_of_those_before(self):
        done, rows = self.run_check("--minutes", "4")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(rows["machine"][0], "ok")
        self.assertEqual(rows["tests"][0], "FAILED")
        self.assertEqual(rows["tests"][1], "4 passed, 2 failed, 0 skipped, 1 suites crashed")
        self.assertIn("Bad/Suite. again, every kernel waited for", self.said("tests"))
        self.assertNotIn("CudaGolden", self.said("tests"))
        # Three files in f32, two in tf32 and bf16 each.
        self.assertEqual(rows["verify"], ("ok", "7 files pass, 0 fail, 0 crashed"))
        self.assertEqual(rows["sanitizer"][0], "ok")
        self.assertIn("Good.a:Good.b:Bad/Suite.x/0:Crash.y:", (self.dir / "seen").read_text())
        self.assertEqual(rows["bench"][0], "FAILED")  # the batch of 256
        self.assertIn("failed: pretrain 256 bf16", self.said("bench"))
        self.assertEqual(rows["peers"][0], "skipped")
        self.assertIn("peers", done.stdout)
        out = self.dir / "out"
        self.assertLessEqual(len(list(out.iterdir())), 8)
        with tarfile.open(out / "details.tar.gz") as details:
            self.assertIn("./trace-pretrain.json", details.getnames())

    def test_after_an_error_each_golden_file_has_its_own_process(self):
        (self.bundle / "tests" / "golden" / "broken.safetensors").touch()
        done, rows = self.run_check("--only", "verify")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(rows["verify"], ("FAILED", "7 files pass, 0 fail, 3 crashed"))

    def test_a_stage_ends_with_its_time_and_all_its_processes(self):
        done, rows = self.run_check(
            *("--only", "tests", "--only", "verify", "--minutes", "1"), HANG="1"
        )
        self.assertEqual(rows["tests"][0], "timeout")
        self.assertEqual(rows["verify"][0], "ok")
        with self.assertRaises(ProcessLookupError):
            os.kill(int((self.dir / "seen").read_text()), 0)

    def test_without_a_gpu(self):
        self.write(self.path / "nvidia-smi", "exit 9")
        self.pack("echo 'GPU    no NVIDIA driver is installed'")
        done, _ = self.run_check()
        self.assertEqual(done.returncode, 2)
        self.assertIn("no NVIDIA driver", done.stderr)

    def test_refused_arguments(self):
        for options in (("--minutes", "x"), ("--only", "nothing"), ("--fast",), ("--device",)):
            self.assertEqual(self.run_check(*options)[0].returncode, 64, options)


if __name__ == "__main__":
    unittest.main()
