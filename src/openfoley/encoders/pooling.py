"""MAP: multi-head attention pooling (Zhai et al. 2022, arXiv 2106.04560, section 3; used by arXiv 2510.02916, A.4).

One learned query attends to all tokens of a set and returns one vector:
    y = out(attention(q, K x, V x)),  z = y + MLP(LayerNorm(y)).
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn


class AttentionPooling(nn.Module):
    """One vector from the tokens of a set.

    The query does not depend on the input, so the two big projections are folded away:
    q . (K x) = (K^T q) . x, and the attention's weights sum to 1, so sum_s a_s (V x_s) = V (sum_s a_s x_s). The result
    is that of ordinary multi-head attention at a small part of its cost (bias of K drops out of the softmax).
    """

    def __init__(self, dim: int, heads: int, mlp_dim: int) -> None:
        super().__init__()
        if dim % heads:
            raise ValueError(f"dim must be a multiple of heads, got dim {dim} and heads {heads}")
        self.heads = heads
        self.head_dim = dim // heads
        self.query = nn.Parameter(torch.randn(heads, self.head_dim))
        self.key = nn.Linear(dim, dim, bias=False)
        self.value = nn.Linear(dim, dim)
        self.out = nn.Linear(dim, dim)
        self.norm = nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, mlp_dim), nn.GELU(), nn.Linear(mlp_dim, dim))

    def forward(
        self, tokens: Float[Tensor, "sets tokens dim"], bias: Float[Tensor, "sets tokens"] | None = None
    ) -> Float[Tensor, "sets dim"]:
        """bias: added to the logits of each token, for all heads; -inf leaves a token out."""
        key = self.key.weight.unflatten(0, (self.heads, self.head_dim))  # [heads, head_dim, dim]
        probe = torch.einsum("hk,hkd->hd", self.query, key) * self.head_dim**-0.5
        logits = (tokens @ probe.T).float()  # [sets, tokens, heads]
        logits = logits if bias is None else logits + bias[..., None]
        weights = torch.softmax(logits, dim=1).to(tokens.dtype)
        pooled = weights.transpose(1, 2) @ tokens  # [sets, heads, dim]
        value = self.value.weight.unflatten(0, (self.heads, self.head_dim))
        mixed = torch.einsum("nhd,hkd->nhk", pooled, value).flatten(1) + self.value.bias
        mixed = self.out(mixed)
        return mixed + self.mlp(self.norm(mixed))
