"""The measured works: each make_* function returns a step, which does one batch when called.

Inputs are random numbers in memory, so reading data is no part of a step. bf16 is torch.autocast as
in the published training: weights, gradients and moments stay f32. The variant `cast` converts the
whole classifier to bf16 instead, which only inference can afford. Steps return tensors, so that on
a GPU nobody waits for one to end.
"""

import torch
import torch.nn.functional as F

from gpu import record
from model import MEAN, STD, Classifier, MaskedAutoencoder, make_target, token_order

MASKED = 0.9
LAYER_DECAY = 0.75


def autocast(device, precision):
    return torch.autocast(device.split(":")[0], torch.bfloat16, enabled=precision == "bf16")


def random_video(config, batch, device="cpu"):
    side = config.grid[1] * config.patch
    return torch.randn(batch, 3, 2 * config.grid[0], side, side, device=device)


def random_mask(config, batch):
    """Hides nine tenths of every window of 5 x 10 tokens, in all frames the same (spec 4.1)."""
    time, rows, columns = config.grid
    window = 5 * columns
    hidden = int(MASKED * window)
    mask = torch.rand(batch, rows // 5, window).argsort(dim=2) < hidden
    return mask.flatten(1)[:, None].expand(-1, time, -1).flatten(1)


def gradient_norm(model):
    """The recipe logs it, and clips nothing."""
    return torch.nn.utils.get_total_norm([p.grad for p in model.parameters()])


def compiled(function, variant):
    if variant.compile_mode is None:
        return function
    return torch.compile(function, mode=variant.compile_mode)


def training_step(model, groups, betas, variant, compute_loss):
    """Loss, backward, gradient norm and AdamW; one CUDA graph of them where the variant says so."""
    optimizer = torch.optim.AdamW(
        groups, lr=1e-4, betas=betas, weight_decay=0.05, fused=True, capturable=variant.has("graph")
    )

    def step():
        if variant.has("overhead"):
            torch.compiler.cudagraph_mark_step_begin()
        optimizer.zero_grad(set_to_none=True)
        loss = compute_loss()
        loss.backward()
        norm = gradient_norm(model)
        optimizer.step()
        return loss.detach(), norm

    return record(step) if variant.has("graph") else step


def make_pretrain(config, batch, precision, variant, device="cpu"):
    """Target from pixels, forward, loss, backward, gradient norm, AdamW."""
    model = MaskedAutoencoder(config).to(device)
    plain = [p for name, p in model.named_parameters() if p.ndim == 1 or name == "mask_token"]
    plain_ids = {id(p) for p in plain}
    decayed = [p for p in model.parameters() if id(p) not in plain_ids]
    groups = [{"params": plain, "weight_decay": 0.0}, {"params": decayed}]
    video, mask = random_video(config, batch, device), random_mask(config, batch).to(device)
    mean, std = MEAN.to(device), STD.to(device)
    visible = int((~mask[0]).sum())

    def loss_of(video, mask):
        order = token_order(mask)
        with torch.no_grad():
            target = make_target(video, order[:, visible:], config.patch, mean, std)
        with autocast(device, precision):
            pred = model(video, order, visible)
        return F.mse_loss(pred.float(), target)

    loss_of = compiled(loss_of, variant)
    return training_step(model, groups, (0.9, 0.95), variant, lambda: loss_of(video, mask))


def layer_groups(model):
    """Learning rates that shrink with depth, decay for matrices only (spec 7.4)."""
    last = len(model.blocks) + 1
    groups = {}
    for name, p in model.named_parameters():
        level = last
        if name.startswith("patch_embed"):
            level = 0
        elif name.startswith("blocks."):
            level = int(name.split(".")[1]) + 1
        decay = 0.0 if p.ndim == 1 or name == "lg_region_tokens" else 0.05
        lr = 1e-4 * LAYER_DECAY ** (last - level)
        group = groups.setdefault((level, decay), {"params": [], "lr": lr, "weight_decay": decay})
        group["params"].append(p)
    return list(groups.values())


def make_finetune(config, batch, precision, variant, device="cpu"):
    """Forward with drop path, soft-target cross-entropy, backward, gradient norm, AdamW."""
    model = Classifier(config).train().to(device)
    video = random_video(config, batch, device)
    labels = torch.rand(batch, config.classes).softmax(dim=1).to(device)

    def loss_of(video, labels):
        with autocast(device, precision):
            logits = model(video)
        return F.cross_entropy(logits.float(), labels)

    loss_of = compiled(loss_of, variant)
    return training_step(
        model, layer_groups(model), (0.9, 0.999), variant, lambda: loss_of(video, labels)
    )


def make_inference(config, batch, precision, variant, device="cpu"):
    """Logits of one batch."""
    cast = variant.has("cast")
    model = Classifier(config).eval().to(device)
    video = random_video(config, batch, device)
    if cast:
        model = model.bfloat16()
    if variant.compile_mode and device == "cpu":
        torch._inductor.config.freezing = True  # weights are constants, packed once
    run = compiled(model, variant)

    def step():
        if variant.has("overhead"):
            torch.compiler.cudagraph_mark_step_begin()
        with torch.inference_mode(), autocast(device, "f32" if cast else precision):
            return run(video.bfloat16() if cast else video)

    return record(step) if variant.has("graph") else step
