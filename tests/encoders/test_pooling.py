import torch

from openfoley.encoders.pooling import AttentionPooling


def test_folded_projections_equal_ordinary_multi_head_attention() -> None:
    torch.manual_seed(0)
    pooling = AttentionPooling(24, 3, 48)
    attention = torch.nn.MultiheadAttention(24, 3, batch_first=True)
    with torch.no_grad():
        assert attention.in_proj_weight is not None
        attention.in_proj_weight[:24] = torch.eye(24)
        attention.in_proj_weight[24:48] = pooling.key.weight
        attention.in_proj_weight[48:] = pooling.value.weight
        attention.in_proj_bias[:48] = 0
        attention.in_proj_bias[48:] = pooling.value.bias
        attention.out_proj.weight.copy_(pooling.out.weight)
        attention.out_proj.bias.copy_(pooling.out.bias)
    tokens = torch.randn(5, 7, 24)
    mixed = attention(pooling.query.flatten().expand(5, 1, 24), tokens, tokens)[0][:, 0]
    torch.testing.assert_close(pooling(tokens), mixed + pooling.mlp(pooling.norm(mixed)))


def test_order_of_tokens_does_not_matter() -> None:
    pooling = AttentionPooling(16, 2, 32)
    tokens = torch.randn(3, 9, 16)
    torch.testing.assert_close(pooling(tokens), pooling(tokens.flip(1)), atol=1e-5, rtol=1e-4)
