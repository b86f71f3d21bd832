"""bench/compare on stand-ins: a GPU, Grimace and PyTorch are scripts with canned answers.

Proves the arguments, the JSON rows and the tables, and that no program is asked for what it would
refuse. No figure in here means anything.
"""

import json
import os
import subprocess
import sys
import tempfile
import textwrap
import unittest
from pathlib import Path

BENCH = Path(__file__).resolve().parent.parent.parent / "bench"
sys.path.insert(0, str(BENCH / "peers"))
from variant import parse_variant  # noqa: E402

NVIDIA = """
    fields = next(a for a in args if a.startswith("--query-gpu=")).split("=")[1].split(",")
    if any(a.startswith("--loop-ms") for a in args):
        print(5, flush=True)
        print(4005, flush=True)
        time.sleep(60)
    known = {"name": "Stand-in GPU", "driver_version": "1.2", "memory.total": "8000",
             "memory.used": "5", "utilization.gpu": "0"}
    print(", ".join(known[f] for f in fields))
"""
GRIMACE = """
    assert option("--backend") == "cuda" and option("--device") == "3"
    time.sleep(0.3)  # until the memory was looked at
    if args[1] == "op":
        row = {"op": "linear", "types": "bf16[2x2]", "count": 7.0, "ms": 1.5, "gflops": 2500.0,
               "gbytes_per_s": 300.0, "roofline_percent": 44.0}
        between = {"op": "(between nodes)", "types": "", "count": 0.0, "ms": 0.5, "gflops": None,
                   "gbytes_per_s": None, "roofline_percent": 0.0}
        print(json.dumps({"step_ms": 2.0, "rows": [between, row]}))
    elif option("--batch") == "256":
        sys.exit("the plan needs more device memory")
    else:
        sample = {"clips_per_s": 400.0, "peak_mb": 900.0, "planned_mb": 3000.0,
                  "gflop_per_step": 1000.0}
        if "--measure-peak" in args:
            sample["peak_gflops"] = 8000.0
        print(json.dumps(sample))
"""
PYTHON = """
    import variant
    assert option("--backend") == "cuda" and option("--device") == "3"
    time.sleep(0.3)
    if "--peak" in args:
        print(json.dumps({"f32": 500.0, "tf32": 2000.0, "bf16": 7000.0}))
    else:
        found = variant.parse_variant(option("--variant"))
        if found.has("max"):
            sys.exit("no kernel")
        speed = 200.0 if found.has("graph") else 100.0
        print(json.dumps({"clips_per_s": speed, "peak_mb": 3500.0, "allocated_mb": 3300.0,
                          "started_mb": 400.0, "version": "torch 0", "logit_error": None}))
"""
FRAME = """\
#!{python}
import json, sys, time
sys.path.insert(0, {peers!r})
args = sys.argv[1:]
def option(name):
    return args[args.index(name) + 1] if name in args else None
{body}
"""


class CompareTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.dir = Path(scratch.name)
        for name, body in (("nvidia-smi", NVIDIA), ("grimace", GRIMACE), ("peer", PYTHON)):
            text = FRAME.format(
                python=sys.executable, peers=str(BENCH / "peers"), body=textwrap.dedent(body)
            )
            (self.dir / name).write_text(text)
            (self.dir / name).chmod(0o755)

    def compare(self, *options, gpu=True):
        environment = dict(os.environ, GRIMACE_PEERS_PYTHON=str(self.dir / "peer"))
        if gpu:
            environment["PATH"] = f"{self.dir}:{environment['PATH']}"
        command = [sys.executable, BENCH / "compare", "--json", self.dir / "out.json"]
        command += ["--grimace", self.dir / "grimace", "--force", *options]
        return subprocess.run(
            [str(part) for part in command], capture_output=True, text=True, env=environment
        )

    def on_gpu(self, *options):
        done = self.compare("--backend", "cuda", "--device", "3", "--rounds", "1", *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads((self.dir / "out.json").read_text())

    def test_rows_of_a_gpu(self):
        report = self.on_gpu(
            *("--only", "pretrain", "--precision", "bf16", "--batch", "128"),
            *("--peers", "sdpa,sdpa-graph,compile-sdpa-max-graph"),
        )
        self.assertEqual(report["gpu"], "Stand-in GPU")
        # The larger of what both sides reached.
        self.assertEqual(report["ceiling_gflops"]["bf16"], 8000.0)
        plain, graph, failed = report["rows"]
        self.assertEqual(plain["ratio"], 4.0)
        self.assertEqual(graph["ratio"], 2.0)
        self.assertEqual(failed["peer_failed"], "failed: no kernel")
        self.assertEqual((plain["peak_mb"], plain["peer_peak_mb"]), (4000, 4000))
        self.assertEqual(plain["planned_mb"], 3000)
        self.assertEqual((plain["peer_reserved_mb"], plain["peer_allocated_mb"]), (3500, 3300))
        # 1000 GFLOP in 128 / 400 s, of 8000 GFLOP/s.
        self.assertAlmostEqual(plain["ceiling_share"], 0.3906, places=4)
        page = (self.dir / "out.md").read_text()
        self.assertIn("**sdpa-graph**", page)
        self.assertIn("| linear | bf16[2x2] | 7 | 1.500 | 2.5 | 300 | 44 % |", page)

    def test_all_keys_of_a_cpu_row(self):
        stored = BENCH / "results" / "compare-mae-dfer-quick.json"
        expected = json.loads(stored.read_text())["rows"][0].keys()
        report = self.on_gpu("--only", "pretrain", "--precision", "bf16", "--batch", "32", "--quick")
        self.assertLessEqual(set(expected), report["rows"][0].keys())

    def test_a_batch_too_large_for_grimace_leaves_its_peers(self):
        report = self.on_gpu(
            *("--only", "inference", "--precision", "f32", "--batch", "256", "--peers", "sdpa")
        )
        (row,) = report["rows"]
        self.assertIn("more device memory", row["grimace"])
        self.assertEqual(row["peer_clips_per_s"], 100.0)
        self.assertNotIn("ratio", row)
        self.assertNotIn("kernels", report)

    def test_time_runs_out(self):
        report = self.on_gpu("--only", "finetune", "--batch", "32", "--minutes", "0.0001")
        self.assertTrue(all("time" in row["peer_failed"] for row in report["rows"]))

    def test_every_peer_of_every_row_is_known(self):
        sys.path.insert(0, str(BENCH))
        from comparing.places import Cpu, Gpu

        for quick in (False, True):
            for work in Gpu.batches:
                for precision in Gpu.precisions:
                    peers = Gpu.peers_of(None, work, precision, quick)
                    self.assertEqual(len(set(peers)), len(peers))
                    for peer in peers:
                        parse_variant(peer)
                for peer in Cpu(None, None, 2).peers_of(work, "bf16", quick):
                    if peer != "openvino":
                        self.assertFalse(parse_variant(peer).needs_gpu)

    def test_an_instruction_set_holds_both_sides(self):
        sys.path.insert(0, str(BENCH))
        from comparing.places import Cpu

        with tempfile.TemporaryDirectory() as folder:
            held = Cpu(Path(folder), BENCH / "peers", 2, "avx2")
            environment = held.environment()
            free = Cpu(Path(folder), BENCH / "peers", 2).environment()
        self.assertNotIn("ATEN_CPU_CAPABILITY", free)
        self.assertEqual(environment["ATEN_CPU_CAPABILITY"], "avx2")
        self.assertEqual(environment["MKL_ENABLE_INSTRUCTIONS"], "AVX2")
        self.assertEqual(environment["ONEDNN_MAX_CPU_ISA"], "AVX2")
        self.assertNotIn("onnxruntime", held.peers_of("inference", "f32", False))
        self.assertEqual(held.precisions, ("f32",))

    def test_without_a_gpu(self):
        done = self.compare("--backend", "cuda", gpu=False)
        self.assertEqual(done.returncode, 2)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)
        self.assertIn("no NVIDIA GPU", done.stderr)

    def test_refused_arguments(self):
        for options in (
            ("--precision", "tf32"),
            ("--rounds", "-1"),
            ("--minutes", "0"),
            ("--only", "nothing"),
            ("--isa", "sse2"),
            ("--isa", "avx2", "--backend", "cuda"),
        ):
            self.assertEqual(self.compare(*options).returncode, 2, options)

    def test_refused_variants(self):
        for name in ("", "graph", "max-sdpa", "sdpa-sdpa", "compile-overhead-graph", "fast"):
            with self.assertRaises(ValueError, msg=name):
                parse_variant(name)


if __name__ == "__main__":
    unittest.main()
