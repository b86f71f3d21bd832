"""Proves that the peer computes the same models: check.py GOLDEN_FILES.

Output, loss and all gradients as one vector, in f32, against the golden files, for both ways to
write attention; with --compile for the compiled model. Passes over files of other kinds, and over
ablations. Exits with 1 when one is off, or nothing was checked.
"""

import argparse
import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import safe_open

from model import MEAN, STD, Classifier, Config, MaskedAutoencoder, make_target, token_order

LIMITS = {"output": 5e-6, "loss": 1e-6, "gradients": 1e-5}


def is_measured(golden):
    """The peer has the two works' models, without the ablation options of some golden files."""
    about = golden.metadata()
    if about["kind"] not in ("pretrain", "finetune"):
        return False
    return not json.loads(about["config"]).get("options")


def read_config(golden, sdpa):
    c = json.loads(golden.metadata()["config"])
    return Config(
        grid=tuple(c["grid"]),
        patch=c["patch_size"],
        width=c["embed_dim"],
        heads=c["heads"],
        depth=c["depth"],
        region=tuple(c["region"]) if c["attn_type"] == "local_global" else None,
        decoder_width=c.get("decoder_dim"),
        decoder_heads=c.get("decoder_heads"),
        decoder_depth=c.get("decoder_depth"),
        classes=c.get("num_classes"),
        sdpa=sdpa,
    )


def run_pretrain(model, get):
    video, mask = get("input.video"), get("input.mask").bool()
    order, visible = token_order(mask), int((~mask[0]).sum())
    colours = (MEAN.to(video.device), STD.to(video.device))
    target = make_target(video, order[:, visible:], model.encoder.config.patch, *colours)
    pred = model(video, order, visible)
    return pred, F.mse_loss(pred, target), get("output.pred")


def run_finetune(model, get):
    logits = model(get("input.video"))
    loss = F.cross_entropy(logits, get("input.labels").long())
    return logits, loss, get("output.logits")


def errors(golden, sdpa, compiled, device):
    """Relative L2 error of each thing in LIMITS."""
    pretrain = golden.metadata()["kind"] == "pretrain"
    model = (MaskedAutoencoder if pretrain else Classifier)(read_config(golden, sdpa))
    stored = [name for name in golden.keys() if name.startswith("param.")]

    def get(name):
        return golden.get_tensor(name).to(device)

    model.load_state_dict({name[6:]: get(name) for name in stored})
    model.to(device)
    if compiled:
        model.compile()
    output, loss, expected_output = (run_pretrain if pretrain else run_finetune)(model, get)
    loss.backward()
    parameters = dict(model.named_parameters())
    expected = [get("grad." + name).flatten() for name in parameters]
    pairs = (
        (output, expected_output),
        (loss, get("loss").squeeze()),
        (torch.cat([p.grad.flatten() for p in parameters.values()]), torch.cat(expected)),
    )
    return [float((got - want).detach().norm() / want.norm()) for got, want in pairs]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--device", default="cpu", help="as PyTorch names it: cuda:0")
    args = parser.parse_args()
    verdicts = []
    for path in args.files:
        with safe_open(path, "pt") as golden:
            if not is_measured(golden):
                continue
            for sdpa in (False, True):
                found = errors(golden, sdpa, args.compile, args.device)
                verdicts.append(all(e <= limit for e, limit in zip(found, LIMITS.values())))
                text = "  ".join(f"{what} {e:.1e}" for what, e in zip(LIMITS, found))
                verdict, attention = "ok " if verdicts[-1] else "OFF", "sdpa" if sdpa else "eager"
                print(f"{verdict}  {path.stem:18}  {attention:5}  {text}", flush=True)
    sys.exit(0 if verdicts and all(verdicts) else 1)


if __name__ == "__main__":
    main()
