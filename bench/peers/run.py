"""One measurement of the peer in a process of its own; prints one JSON object on stdout.

  run.py --variant sdpa --work pretrain --model mae-dfer --precision bf16 --batch 8 --threads 2
  run.py --variant compile-sdpa-graph --backend cuda --work pretrain --precision bf16 --batch 128
  run.py --variant openvino --work inference --onnx classifier.onnx --precision bf16 ...
  run.py --export classifier.onnx --model mae-dfer --batch 8
  run.py --peak --threads 2

--variant says how PyTorch runs the model (variant.py), or names another runtime. --export writes
the classifier with an input and its logits, against which the other runtimes check themselves
before they are timed. --peak measures products of large matrices, in GFLOP/s.
"""

import argparse
import json
import math
import os

import numpy as np

from place import Cpu
from variant import parse_variant

RUNTIMES = ("onnxruntime", "openvino")
# Relative L2 error allowed to another runtime's logits. PyTorch's own bf16 is off by 0.7 %, that
# of OpenVINO by 7 %: wide enough to let it compete, and the error is in the rows.
LOGIT_LIMITS = {"f32": 1e-3, "bf16": 1e-1}


def make_config(args, **options):
    import model

    drop_path = 0.1 if args.work == "finetune" else 0.0
    make = {"mae-dfer": model.mae_dfer, "videomae": model.videomae}[args.model]
    return make(drop_path=drop_path, **options)


def use_torch(args, variant=None):
    """Where PyTorch computes, with the threads it may use."""
    import torch

    torch.manual_seed(0)
    torch.set_num_threads(args.threads)
    torch.set_num_interop_threads(1)
    if args.backend == "cuda":
        from gpu import Gpu

        place = Gpu(args.device)
    else:
        place = Cpu()
    place.use(args.precision, variant)
    return torch, place


def torch_step(args):
    """A step, the versions that it runs on, and where."""
    variant = parse_variant(args.variant)
    torch, place = use_torch(args, variant)
    import steps

    config = make_config(args, sdpa=variant.sdpa)
    make = getattr(steps, f"make_{args.work}")
    step = make(config, args.batch, args.precision, variant, place.device)
    version = f"torch {torch.__version__}"
    if args.backend == "cuda":
        version += f", CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    return step, version, place


def onnxruntime_step(args, video):
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(args.onnx, options, ["CPUExecutionProvider"])
    return lambda: session.run(None, {"video": video})[0], f"onnxruntime {onnxruntime.__version__}"


def openvino_step(args, video):
    import openvino

    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": args.threads,
        "INFERENCE_PRECISION_HINT": args.precision,
    }
    compiled = openvino.Core().compile_model(f"{args.onnx}.xml", "CPU", settings)
    request = compiled.create_infer_request()
    return lambda: request.infer({"video": video})[0], f"openvino {openvino.__version__}"


def runtime_step(args):
    """A step of a runtime that reads ONNX, refused unless its logits are those of PyTorch."""
    video = np.load(f"{args.onnx}.video.npy")
    expected = np.load(f"{args.onnx}.logits.npy")
    make = {"onnxruntime": onnxruntime_step, "openvino": openvino_step}[args.variant]
    step, version = make(args, video)
    error = float(np.linalg.norm(step() - expected) / np.linalg.norm(expected))
    if not error <= LOGIT_LIMITS[args.precision]:
        raise SystemExit(f"logits are off by {error:.1e} from PyTorch's")
    return step, version, error


def export(args):
    torch, _ = use_torch(args)
    from model import Classifier
    from steps import random_video

    config = make_config(args, sdpa=True)
    classifier = Classifier(config).eval()
    video = random_video(config, args.batch)
    with torch.inference_mode():
        logits = classifier(video)
    names = {"input_names": ["video"], "output_names": ["logits"]}
    torch.onnx.export(classifier, (video,), args.export, dynamo=True, **names)
    np.save(f"{args.export}.video.npy", video.numpy())
    np.save(f"{args.export}.logits.npy", logits.numpy())
    import openvino

    converted = openvino.convert_model(args.export)
    openvino.save_model(converted, f"{args.export}.xml", compress_to_fp16=False)
    return {"exported": args.export}


def measure_peak(args):
    """The best of 15 products of large random matrices in each precision."""
    torch, place = use_torch(args)
    rows, inner, columns = place.peak_shape
    peaks = {}
    for precision in place.precisions:
        place.use(precision, None)
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        a = torch.randn(rows, inner, dtype=dtype, device=place.device)
        b = torch.randn(inner, columns, dtype=dtype, device=place.device)
        seconds, _ = place.time_steps(lambda: a @ b, 3, 15)
        peaks[precision] = 2 * rows * inner * columns / min(seconds) / 1e9
    return peaks


def measure(args):
    runtime = args.variant in RUNTIMES
    logit_error = None
    if runtime:
        place = Cpu()
        step, version, logit_error = runtime_step(args)
    else:
        step, version, place = torch_step(args)
    started_mb = place.started()
    seconds, wall_seconds = place.time_steps(step, args.warmup, args.steps)
    memory = place.memory()
    if not runtime and args.work != "inference":  # a broken step would seem fast
        loss, norm = (float(number) for number in step())
        if not (math.isfinite(loss) and math.isfinite(norm)):
            raise SystemExit(f"loss {loss} and gradient norm {norm} are not finite")
    return {
        "work": args.work,
        "model": args.model,
        "precision": args.precision,
        "batch": args.batch,
        "threads": args.threads,
        "variant": args.variant,
        "version": version,
        "logit_error": logit_error,
        "seconds": seconds,
        "wall_seconds": wall_seconds / args.steps,
        "clips_per_s": args.batch / float(np.median(seconds)),
        "started_mb": started_mb,
        **memory,
    }


def check_arguments(parser, args):
    if args.export or args.peak:
        return
    if args.variant is None:
        parser.error("--variant, --export or --peak is needed")
    if args.variant in RUNTIMES:
        return
    try:
        variant = parse_variant(args.variant)
    except ValueError as error:
        parser.error(str(error))
    if args.backend == "cpu" and variant.needs_gpu:
        parser.error(f"{args.variant} needs --backend cuda")
    if variant.has("cast") and args.work != "inference":
        parser.error(f"{args.variant} is for inference: training keeps f32 weights")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--variant", metavar="WORDS", help="see variant.py; or a runtime's name")
    parser.add_argument("--work", choices=("pretrain", "finetune", "inference"))
    parser.add_argument("--model", choices=("mae-dfer", "videomae"), default="mae-dfer")
    parser.add_argument("--backend", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--device", type=int, default=0, help="which GPU")
    parser.add_argument("--precision", choices=("f32", "tf32", "bf16"), default="f32")
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--warmup", type=int, default=2)
    parser.add_argument("--onnx")
    parser.add_argument("--export")
    parser.add_argument("--peak", action="store_true")
    args = parser.parse_args()
    check_arguments(parser, args)
    work = export if args.export else measure_peak if args.peak else measure
    print(json.dumps(work(args)))


if __name__ == "__main__":
    main()
