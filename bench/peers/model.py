"""MAE-DFER and its VideoMAE baseline in PyTorch: the peer that Grimace is measured beside.

Modules and parameters have the names of the published state dict, so golden files load as they are.
The model computes what the published program computes: all cubes are embedded, then the visible
ones picked. Shapes: B clips, K tokens of a clip (8x10x10), V of them visible, C channels, M regions
of N local tokens.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

MEAN = torch.tensor([0.485, 0.456, 0.406])
STD = torch.tensor([0.229, 0.224, 0.225])
EPS = 1e-6  # of every LayerNorm


@dataclass
class Config:
    grid: tuple = (8, 10, 10)  # tokens: time, rows, columns
    patch: int = 16
    width: int = 512
    heads: int = 8
    depth: int = 16
    region: tuple | None = (2, 5, 10)  # in tokens; None: a plain ViT
    decoder_width: int = 384
    decoder_heads: int = 6
    decoder_depth: int = 4
    classes: int = 7
    drop_path: float = 0.0
    sdpa: bool = True  # scaled_dot_product_attention; False: the products and softmax written out

    @property
    def tokens(self):
        time, rows, columns = self.grid
        return time * rows * columns

    @property
    def regions(self):
        return self.tokens // (self.region[0] * self.region[1] * self.region[2])


def mae_dfer(**options):
    return Config(**options)


def videomae(**options):
    return Config(width=768, heads=12, depth=12, region=None, **options)


def position_table(tokens, width):
    """[K][C]: one sinusoid over the raster index, computed in double (spec 2.3)."""
    channel = torch.arange(width)
    rate = 10000.0 ** (-2.0 * (channel // 2).double() / width)
    angle = torch.arange(tokens).double()[:, None] * rate
    return torch.where(channel % 2 == 0, angle.sin(), angle.cos()).float()


def cut_cubes(video, patch):
    """[B][3][T][H][W] -> [B][K][3][2][P][P], tokens in raster order."""
    cubes = video.unflatten(4, (-1, patch)).unflatten(3, (-1, patch)).unflatten(2, (-1, 2))
    return cubes.permute(0, 2, 4, 6, 1, 3, 5, 7).flatten(1, 3)


def pick(tokens, index):
    """Rows index[B][I] of tokens[B][K][C]."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def drop_path(branch, rate, training):
    """One draw for each index of the first axis (spec 2.7)."""
    if rate == 0.0 or not training:
        return branch
    shape = (branch.shape[0],) + (1,) * (branch.ndim - 1)
    kept = torch.empty(shape, device=branch.device).bernoulli_(1 - rate)
    return branch * kept.div_(1 - rate)


def attend(q, k, v, sdpa):
    """q[B][H][Q][d], k and v[B][H][T][d] -> [B][Q][H*d]."""
    if sdpa:
        out = F.scaled_dot_product_attention(q, k, v)
    else:
        out = ((q * q.shape[-1] ** -0.5) @ k.transpose(-2, -1)).softmax(dim=-1) @ v
    return out.transpose(1, 2).flatten(2)


class FusedAttention(nn.Module):
    """Self-attention with q, k, v in one weight; k has no bias (spec 3)."""

    def __init__(self, width, config, heads):
        super().__init__()
        self.heads, self.sdpa = heads, config.sdpa
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x):
        bias = torch.cat([self.q_bias, torch.zeros_like(self.q_bias), self.v_bias])
        qkv = F.linear(x, self.qkv.weight, bias).unflatten(2, (3, self.heads, -1))
        return self.proj(attend(*qkv.permute(2, 0, 3, 1, 4), self.sdpa))


class Attention(nn.Module):
    """Attention of x to a context, which is x itself when none is given (spec 2.4)."""

    def __init__(self, width, config):
        super().__init__()
        self.heads, self.sdpa = config.heads, config.sdpa
        self.q_bias = nn.Parameter(torch.zeros(width))
        self.v_bias = nn.Parameter(torch.zeros(width))
        self.q = nn.Linear(width, width, bias=False)
        self.kv = nn.Linear(width, 2 * width, bias=False)
        self.proj = nn.Linear(width, width)

    def forward(self, x, context=None):
        context = x if context is None else context
        bias = torch.cat([torch.zeros_like(self.v_bias), self.v_bias])
        q = F.linear(x, self.q.weight, self.q_bias).unflatten(2, (self.heads, -1)).transpose(1, 2)
        kv = F.linear(context, self.kv.weight, bias).unflatten(2, (2, self.heads, -1))
        return self.proj(attend(q, *kv.permute(2, 0, 3, 1, 4), self.sdpa))


class Mlp(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        return self.fc2(F.gelu(self.fc1(x)))


class Block(nn.Module):
    """A pre-norm ViT block on [B][K][C]."""

    def __init__(self, width, config, heads, drop=0.0):
        super().__init__()
        self.drop = drop
        self.norm1 = nn.LayerNorm(width, eps=EPS)
        self.attn = FusedAttention(width, config, heads)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + drop_path(self.attn(self.norm1(x)), self.drop, self.training)
        return x + drop_path(self.mlp(self.norm2(x)), self.drop, self.training)


class LgiBlock(nn.Module):
    """Attention within regions, among their representatives, and back to all tokens (spec 2.6).

    On [B*M][1+N][C]; the first token of a region is its representative.
    """

    def __init__(self, config, drop):
        super().__init__()
        width = config.width
        self.drop, self.regions = drop, config.regions
        self.first_attn_norm0 = nn.LayerNorm(width, eps=EPS)
        self.first_attn = Attention(width, config)
        self.second_attn_norm0 = nn.LayerNorm(width, eps=EPS)
        self.second_attn = Attention(width, config)
        self.third_attn_norm0 = nn.LayerNorm(width, eps=EPS)
        self.third_attn_norm1 = nn.LayerNorm(width, eps=EPS)
        self.third_attn = Attention(width, config)
        self.norm2 = nn.LayerNorm(width, eps=EPS)
        self.mlp = Mlp(width)

    def forward(self, x):
        x = x + drop_path(self.first_attn(self.first_attn_norm0(x)), self.drop, self.training)

        per_clip = x.unflatten(0, (-1, self.regions))
        chief, local = per_clip[:, :, 0], per_clip[:, :, 1:].flatten(1, 2)
        among = self.second_attn(self.second_attn_norm0(chief))
        chief = chief + drop_path(among, self.drop, self.training)
        back = self.third_attn(self.third_attn_norm0(local), self.third_attn_norm1(chief))
        local = local + drop_path(back, self.drop, self.training)

        local = local.unflatten(1, (self.regions, -1))
        x = torch.cat([chief[:, :, None], local], dim=2).flatten(0, 1)
        return x + drop_path(self.mlp(self.norm2(x)), self.drop, self.training)


class PatchEmbed(nn.Module):
    def __init__(self, config):
        super().__init__()
        size = (2, config.patch, config.patch)
        self.proj = nn.Conv3d(3, config.width, kernel_size=size, stride=size)

    def forward(self, video):
        """A linear layer on cubes: in bf16 faster than the convolution that it equals."""
        cubes = cut_cubes(video, self.proj.kernel_size[2]).flatten(2)
        return F.linear(cubes, self.proj.weight.flatten(1), self.proj.bias)


class Encoder(nn.Module):
    """LGI-Former, or a plain ViT where the configuration has no region."""

    def __init__(self, config):
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.register_buffer("positions", position_table(config.tokens, config.width), False)
        drops = [config.drop_path * i / max(config.depth - 1, 1) for i in range(config.depth)]
        if config.region:
            self.lg_region_tokens = nn.Parameter(torch.randn(config.regions, config.width) * 0.02)
            self.blocks = nn.ModuleList(LgiBlock(config, drop) for drop in drops)
        else:
            blocks = (Block(config.width, config, config.heads, drop) for drop in drops)
            self.blocks = nn.ModuleList(blocks)

    def embed(self, video):
        return self.patch_embed(video) + self.positions

    def run_blocks(self, x):
        for block in self.blocks:
            x = block(x)
        return x

    def run_regions(self, regions):
        """[B][M][N][C] -> [B][M][1+N][C] through all blocks, representatives first."""
        batch = regions.shape[0]
        chief = self.lg_region_tokens[None, :, None].expand(batch, -1, -1, -1)
        x = self.run_blocks(torch.cat([chief, regions], dim=2).flatten(0, 1))
        return x.unflatten(0, (batch, -1))


class Classifier(Encoder):
    """Video [B][3][T][H][W] -> logits; an LGI-Former classifies from its representatives."""

    def __init__(self, config):
        super().__init__(config)
        self.fc_norm = nn.LayerNorm(config.width, eps=EPS)
        self.head = nn.Linear(config.width, config.classes)

    def forward(self, video):
        x = self.embed(video)
        if self.config.region:
            x = self.run_regions(self.partition(x))[:, :, 0]
        else:
            x = self.run_blocks(x)
        return self.head(self.fc_norm(x.mean(dim=1)))

    def partition(self, x):
        """[B][K][C] -> [B][M][N][C] (spec 2.5)."""
        time, rows, columns = self.config.region
        _, grid_rows, grid_columns = self.config.grid
        x = x.unflatten(1, (-1, time, grid_rows // rows, rows, grid_columns // columns, columns))
        return x.permute(0, 1, 3, 5, 2, 4, 6, 7).flatten(4, 6).flatten(1, 3)


class MaskedEncoder(Encoder):
    def __init__(self, config):
        super().__init__(config)
        self.norm = nn.LayerNorm(config.width, eps=EPS)

    def forward(self, video, visible):
        """Tokens [B][V][C] at the raster indices visible[B][V]; with regions, in their order."""
        x = pick(self.embed(video), visible)
        if not self.config.region:
            return self.norm(self.run_blocks(x))
        time, rows, _ = self.config.region  # regions span all columns
        bands = self.config.grid[1] // rows
        in_time = self.config.grid[0] // time
        x = x.unflatten(1, (in_time, time, bands, -1)).transpose(2, 3)
        x = self.run_regions(x.flatten(3, 4).flatten(1, 2))
        return self.norm(x[:, :, 1:].flatten(1, 2))


class Decoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = config.decoder_width
        blocks = (Block(width, config, config.decoder_heads) for _ in range(config.decoder_depth))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width, eps=EPS)
        self.head = nn.Linear(width, 2 * 3 * config.patch**2)

    def forward(self, x, masked):
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x[:, -masked:]))


class MaskedAutoencoder(nn.Module):
    """Video and the token order (visible ones first) -> predictions for the masked tokens."""

    def __init__(self, config):
        super().__init__()
        width = config.decoder_width
        self.mask_token = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.encoder = MaskedEncoder(config)
        self.decoder = Decoder(config)
        self.encoder_to_decoder = nn.Linear(config.width, width, bias=False)
        self.register_buffer("positions", position_table(config.tokens, width), False)

    def forward(self, video, order, visible):
        """order[B][K]: raster indices, the first `visible` of them shown to the encoder.

        As published, an encoded token gets the position of its slot in raster order (spec 4.3).
        """
        x = self.encoder_to_decoder(self.encoder(video, order[:, :visible]))
        masked = order.shape[1] - visible
        x = torch.cat([x, self.mask_token.expand(x.shape[0], masked, -1)], dim=1)
        return self.decoder(x + self.positions[order], masked)


def token_order(mask):
    """mask[B][K], true: hidden -> raster indices of the visible tokens, then of the masked ones."""
    return mask.int().argsort(dim=1, stable=True)


def make_target(video, masked, patch, mean=MEAN, std=STD):
    """Normalised pixels of each masked cube's first frame, and the second frame's difference to it.

    video is normalised with mean and std, which lie where it does; masked[B][I] are raster indices.
    Spec 5.1, 5.2.
    """
    pixels = video * std.view(3, 1, 1, 1) + mean.view(3, 1, 1, 1)
    cubes = cut_cubes(pixels, patch).movedim(2, -1).flatten(2, 4)  # [B][K][2*P*P][3]
    deviation = cubes.var(dim=2, unbiased=True, keepdim=True).sqrt() + 1e-6
    z = (cubes - cubes.mean(dim=2, keepdim=True)) / deviation
    first, second = z.chunk(2, dim=2)
    return pick(torch.cat([first, second - first], dim=2).flatten(2), masked)
