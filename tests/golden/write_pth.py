# Wrote pytorch_small.pth (PyTorch 2.15): python3 write_pth.py pytorch_small.pth
# A checkpoint as a training program saves it; element i of every tensor of numbers is i / 8.
import argparse
import collections
import sys

import torch


def numbers(*shape, dtype=torch.float32):
    count = torch.Size(shape).numel()
    return (torch.arange(count, dtype=torch.float64) / 8).reshape(shape).to(dtype)


weight, bias, token = numbers(3, 4), numbers(3), numbers(1, 1, 2)
storage = torch.cat([torch.full((5,), 9.0), numbers(6), torch.full((5,), 9.0)])
shared = torch.nn.Parameter(numbers(2, 2))
model = collections.OrderedDict(
    [
        ("mask_token", torch.nn.Parameter(token)),
        ("encoder.weight", torch.nn.Parameter(weight)),
        ("encoder.bias", torch.nn.Parameter(bias)),
    ]
)
others = dict(
    [
        ("transposed", numbers(3, 2).t().contiguous().t()),
        ("part", storage[5:11].reshape(2, 3)),
        ("column", numbers(4, 3)[:, 1]),
        ("shared", shared),
        ("shared_again", shared),
        ("scalar", torch.tensor(0.125)),
        ("empty", torch.empty(0, 3)),
        ("f16", numbers(4, dtype=torch.float16)),
        ("bf16", numbers(4, dtype=torch.bfloat16)),
        ("f64", numbers(4, dtype=torch.float64)),
        ("i64", torch.arange(-2, 2)),
        ("i32", torch.arange(-2, 2, dtype=torch.int32)),
        ("u8", torch.arange(4, dtype=torch.uint8)),
        ("bool", torch.tensor([True, False])),
    ]
)
groups = [
    {"params": [model["mask_token"], model["encoder.bias"]], "weight_decay": 0.0, "lr_scale": 1.0},
    {"params": [model["encoder.weight"]], "weight_decay": 0.05, "lr_scale": 1.0},
]
optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95))
for group in groups:
    for parameter in group["params"]:
        parameter.grad = parameter.detach() * 10
optimizer.step()
for parameter, values in [("mask_token", token), ("encoder.bias", bias), ("encoder.weight", weight)]:
    model[parameter] = torch.nn.Parameter(numbers(*values.shape))
args = argparse.Namespace(model="small", lg_region_size=[2, 5, 10], lr=3e-4, clip_grad=None)
torch.save(
    {
        "model": model,
        "others": others,
        "optimizer": optimizer.state_dict(),
        "epoch": 49,
        "scaler": {"scale": 65536.0, "_growth_tracker": 7},
        "args": args,
    },
    sys.argv[1],
)
