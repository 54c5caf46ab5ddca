"""What is shipped stays small enough to lie in the repository."""

from openfoley.hub.registry import SHIPPED_FOLDER

PARTS = ("codec", "semantic", "sync", "generator", "familiarity")


def test_the_shipped_model_and_all_shipped_weights_keep_to_their_limits() -> None:
    parts = sum((SHIPPED_FOLDER / "salsa-v-gym" / f"{part}.safetensors").stat().st_size for part in PARTS)
    whole = sum(path.stat().st_size for path in SHIPPED_FOLDER.rglob("*") if path.is_file())
    adapters = (SHIPPED_FOLDER / "salsa-v-gym" / "adapters.safetensors").stat().st_size
    assert 10_000_000 < parts < 40_000_000 and parts < whole < 60_000_000 and 100_000 < adapters < 2_000_000
