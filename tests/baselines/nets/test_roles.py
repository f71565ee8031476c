"""Every net by its role: shapes, a gradient to every parameter, on the device where it is."""

import pytest
import torch
from dgmbench.baselines.nets.causal import CausalTransformer
from dgmbench.baselines.nets.embedding import Embedding
from dgmbench.baselines.nets.images import ImageDecoder, ImageEncoder, pyramid
from dgmbench.baselines.nets.masked import MaskedMLP
from dgmbench.baselines.nets.mlp import MLP, ResidualMLP
from dgmbench.baselines.nets.roles import critic, decoder, denoiser, encoder, has_images
from dgmbench.baselines.nets.unet import UNet
from dgmbench.baselines.scaling import Scaling
from dgmbench.benchmark.contract.task import Domain

DOMAINS = {
    "plane": Domain((2,)),
    "table": Domain((30,)),
    "bits": Domain((12,), levels=2, layout="bits"),
    "tokens": Domain((6,), levels=5, ordered=False, layout="sequence"),
    "text": Domain((6,), levels=65, ordered=False, layout="sequence"),
    "small image": Domain((1, 4, 4), levels=17),
    "digits": Domain((1, 8, 8), levels=17),
    "mnist": Domain((1, 28, 28), levels=256),
    "frey": Domain((1, 28, 20), levels=256),
    "odd": Domain((2, 9, 11), levels=256),
    "celeba": Domain((3, 64, 64), levels=256),
}
HIDDEN, CHANNELS = (16, 16), 8


def points(domain, n=3):
    if domain.levels is None:
        return torch.randn(n, *domain.shape)
    return torch.randint(domain.levels, (n, *domain.shape))


def whole(net):
    """The net with every weight away from zero: layers that start at zero let nothing through."""
    with torch.no_grad():
        for p in net.parameters():
            p.add_(0.05 * torch.randn_like(p))
    return net


def check(net, out, shape):
    assert out.shape == shape
    out.square().sum().backward()
    still = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.any()]
    assert not still, f"no gradient reached {still}"


@pytest.mark.parametrize("word", DOMAINS)
def test_encoder(word):
    domain = DOMAINS[word]
    embedding = Embedding(Scaling(domain))
    net = whole(encoder(domain, embedding.features, 5, HIDDEN, CHANNELS))
    x = embedding(points(domain))
    assert x.shape == (3, domain.dim, embedding.features)
    check(net, net(x.detach()), (3, 5))


@pytest.mark.parametrize("word", DOMAINS)
def test_decoder(word):
    domain = DOMAINS[word]
    net = whole(decoder(4, domain, 3, HIDDEN, CHANNELS))
    check(net, net(torch.randn(2, 3, 4)), (2, 3, 3 * domain.dim))


@pytest.mark.parametrize("word", DOMAINS)
def test_critic(word):
    domain = DOMAINS[word]
    net = whole(critic(domain, HIDDEN, CHANNELS))
    check(net, net(torch.randn(3, *domain.shape)), (3, 1))


@pytest.mark.parametrize("word", DOMAINS)
@pytest.mark.parametrize("outputs", [1, 2])
def test_denoiser(word, outputs):
    domain = DOMAINS[word]
    net = whole(denoiser(domain, HIDDEN, CHANNELS, outputs))
    out = net(torch.randn(3, domain.dim), torch.rand(3))
    check(net, out, (3, outputs * domain.dim))


def test_a_decoder_keeps_the_numbers_of_a_pixel_together():
    """Coordinate d of the flat output is pixel d: a net of planes that are constant shows it."""
    domain = Domain((2, 8, 8), levels=17)
    net = decoder(4, domain, 3, HIDDEN, CHANNELS)
    with torch.no_grad():
        last = net.net.head[2]
        last.weight.zero_()
        last.bias.copy_(torch.arange(6.0))  # number p of channel c is plane 2 p + c
    out = net(torch.zeros(1, 4)).view(1, 2, 64, 3)
    for c in range(2):
        assert out[0, c, 0].tolist() == [c, 2 + c, 4 + c]
        assert bool((out[0, c] == out[0, c, :1]).all())


def test_an_encoder_sees_pixels_where_they_are():
    domain = Domain((1, 8, 8), levels=17)
    seen = []
    net = encoder(domain, 1, 2, HIDDEN, CHANNELS)
    net.net.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    x = torch.arange(64.0).view(1, 64, 1)
    net(x)
    assert torch.equal(seen[0].flatten(), x.flatten())


@pytest.mark.parametrize("make", [lambda: MLP(3, 2, (8,)), lambda: ResidualMLP(3, 2, 8, 2)])
def test_perceptrons(make):
    net = whole(make())
    check(net, net(torch.randn(4, 3)), (4, 2))


def test_masked_and_causal_nets():
    masked = whole(MaskedMLP(5, 2, 3, (8, 8)))
    check(masked, masked(torch.randn(4, 5, 2)), (4, 5, 3))
    causal = whole(CausalTransformer(5, 2, 3, width=8, layers=2, heads=2))
    check(causal, causal(torch.randn(4, 5, 2)), (4, 5, 3))


def test_masked_units_see_all_that_comes_before():
    """A net with fewer units than coordinates sees its nearest neighbours all the same."""
    net = whole(MaskedMLP(12, 1, 1, (4,)))
    x = torch.randn(1, 12, 1, requires_grad=True)
    for d in range(12):
        (gradient,) = torch.autograd.grad(net(x)[0, d, 0], x)
        assert (gradient[0, :, 0] != 0).tolist() == [i < d for i in range(12)]


def test_only_images_worth_it_get_convolutions():
    assert [word for word, domain in DOMAINS.items() if has_images(domain)] == [
        "digits", "mnist", "frey", "odd", "celeba",
    ]  # fmt: skip
    assert pyramid(28, 20) == [(28, 20), (14, 10), (7, 5), (4, 3)]


@pytest.mark.parametrize(
    "net",
    [
        ImageEncoder((1, 8, 8), 2, 4),
        ImageDecoder(2, (1, 8, 8), 4),
        UNet((1, 8, 8), 4),
        CausalTransformer(4, 1, 1, width=8, layers=1, heads=2),
    ],
    ids=lambda net: type(net).__name__,
)
def test_the_same_numbers_at_any_batch_size(net):
    x = torch.randn(6, 2) if isinstance(net, ImageDecoder) else torch.randn(6, 1, 8, 8)
    x = torch.randn(6, 4, 1) if isinstance(net, CausalTransformer) else x
    more = (torch.rand(6),) if isinstance(net, UNet) else ()
    whole(net).eval()
    with torch.no_grad():
        together = net(x, *more)
        alone = torch.cat([net(x[i : i + 1], *(t[i : i + 1] for t in more)) for i in range(6)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)
