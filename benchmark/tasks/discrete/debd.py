"""Binary vectors with published splits and likelihoods: the DEBD sets, from .npz in the data root.

Rows and splits are those of Lowd & Davis 2010, Van Haaren & Davis 2012, Bekker et al. 2015 and
Larochelle & Murray 2011, so test log-likelihoods compare with many papers'.
"""

from __future__ import annotations

from pathlib import Path

from ...contract.task import Card, Domain, Task
from ..outline import Loaded, Outline
from ..readers.data_root import sha256, verify
from ..readers.npz import read_npz
from ..refusals import DISCRETE, too_few
from ..split import tensors

# Number of variables; rows of train, valid and test.
SETS = {
    "nltcs": (16, (16181, 2157, 3236)),
    "plants": (69, (17412, 2321, 3482)),
    "baudio": (100, (15000, 2000, 3000)),
    "jester": (100, (9000, 1000, 4116)),
    "bnetflix": (100, (15000, 2000, 3000)),
    "accidents": (111, (12758, 1700, 2551)),
    "mushrooms": (112, (2000, 500, 5624)),
    "pumsb-star": (163, (12262, 1635, 2452)),
    "dna": (180, (1600, 400, 1186)),
    "nips": (500, (400, 100, 1240)),
    "moviereview": (1001, (1600, 150, 250)),
    "bbc": (1058, (1670, 225, 330)),
    "voting": (1359, (1214, 200, 350)),
}

# Fewer training rows per bit make a kind of its own: what suits thousands of rows of a few bits
# learns them by heart.
ROWS_PER_BIT = 10

ABOUT = {
    "nltcs": "what an elderly person can do (National Long Term Care Survey)",
    "plants": "the regions where a plant grows",
    "baudio": "the artists that a listener has played",
    "jester": "the jokes that a reader liked",
    "bnetflix": "the films that a viewer has rated",
    "accidents": "the circumstances of a traffic accident",
    "mushrooms": "the features of a mushroom",
    "pumsb-star": "a person's answers in the US census",
    "dna": "a splice junction of a gene",
    "nips": "the words of a NIPS paper",
    "moviereview": "the words of a film review",
    "bbc": "the words of a piece of news",
    "voting": "453 votes, one of three bits set for each",
}

PITFALLS = {
    "bbc": " A tenth of the test rows stands in train as well.",
    "voting": " Rows that follow each other are alike (correlation 0.8) and a quarter of the test "
    "rows stands in train as well: standard errors, which take rows for independent, are too "
    "small.",
}

# Of the three arrays in this order.
SHA256 = {
    "nltcs": "22a8a5af3744486e3f2f559b26ef5c67815292aa81a04f2000b325b2d45b5064",
    "plants": "da851ead6eb713c74ed17668e9dd6b4441061cab436ca8fb5358dee11b1985cc",
    "baudio": "ca41754ed6762bdd77d1aac1331780751c806f652d9b502e9c16dcb6b92a4acd",
    "jester": "c94f812077f79554abb6d9bdb05028b3f9d59390dd549e410c5379ab9e22bc7b",
    "bnetflix": "289a3ba9a24279fa22df02db8857fdf9a02c8f7812170af6f05cf227933c5226",
    "accidents": "f2057adadcae1a2a046cb7b4810e71be5ce4f417654a337d6c2ca983f0019d40",
    "mushrooms": "c129bab9732f4a35900d99cfc0c259e2cc6efd950292a4eaa193bbc88cc7c092",
    "pumsb-star": "130a9ffd55fa0bd72c96d06c94436567673f24ce758ab94407525e54be37344c",
    "dna": "a2b03c1b36a4044734815a5cffa5f140a3c6a2be96aa5aa4e1bfbfaaa670c1aa",
    "nips": "21d5556732ab50d51830c7c6bae988d0f7ba42dd586ec9df38915c5b955f6f1f",
    "moviereview": "70d56c8212419723c49d95b96408d7d57a2f7f463198548245c312edfd619532",
    "bbc": "b361b97a4b09613f9cb34be4cf3df97bda4f4f22e2d3d5ad35251c8fd5a28c62",
    "voting": "c3aaf7ded0520ab1005045d3179538a7c5fc4dba5e6884a7d9eb4ff8aee27613",
}


def binary(name: str) -> Outline:
    """Returns a DEBD set as a task; train, valid and test are the published ones."""
    dim, counts = SETS[name]
    sizes = dict(zip(("train", "val", "test"), counts, strict=True))

    def read(path: Path) -> Loaded:
        parts = read_npz(path, "train", "valid", "test")
        checksum = verify(name, SHA256[name], sha256(*parts.values()))
        return Loaded(tensors(dict(zip(sizes, parts.values(), strict=True))), checksum)

    task = Task(
        name=name,
        version=1,
        domain=Domain((dim,), levels=2, ordered=False, layout="bits"),
        kind="binary" if sizes["train"] >= ROWS_PER_BIT * dim else "wide-binary",
        primary="mmd",
        refuses={**DISCRETE, **too_few(sizes["test"], dim)},
        card=Card(
            summary=f"{dim} bits: {ABOUT[name]}.",
            source="Density Estimation Benchmark Datasets (UCLA-StarAI)",
            licence="none stated for the collection",
            citation="Lowd & Davis 2010; Van Haaren & Davis 2012; Bekker et al. 2015",
            pitfalls="Published numbers are mean log-likelihoods of the test rows in nats, some "
            "of models trained on train and valid together." + PITFALLS.get(name, ""),
        ),
    )
    return Outline(task, sizes, read, (f"debd/{name.replace('-', '_')}.npz",))
