"""The scene of a seed, whichever world it belongs to: the one entry of files, caches and studies."""

from collections.abc import Callable

from openfoley.errors import UsageError
from openfoley.gym.close_up import sample_close_up
from openfoley.gym.flat import sample_flat_scene
from openfoley.gym.long.scene import sample_long_scene
from openfoley.gym.records import Scene
from openfoley.gym.seeds import Split, check_world, world_of


def sample_scene(
    seed: int,
    duration_s: float,
    *,
    split: Split = "train",
    silent: bool | None = None,
    aspect: float | None = None,
    single_shot: bool = False,
) -> Scene:
    """The scene of `seed`, which decides everything. The caller takes seeds from `seeds.seeds_of(split, ..., world)`;
    `split="heldout"` uses held-out actions, materials and styles. `silent=True` gives motion without any sound, None
    leaves it to chance; `aspect` (width / height) likewise. `single_shot`: no cut, however long the scene.

    Raises UsageError for a seed of no world and where the extra of its world is not installed."""
    if not duration_s > 0:
        raise UsageError(f"duration must be > 0 s, got {duration_s}")
    world = world_of(seed)
    check_world(world)
    own = {"flat": sample_flat_scene, "close-up": sample_close_up, "long": sample_long_scene}
    sample = own.get(world) or _bodies()
    return sample(seed, duration_s, split=split, silent=silent, aspect=aspect, single_shot=single_shot)


def _bodies() -> Callable[..., Scene]:
    """Imported on demand: it needs the extra's packages."""
    from openfoley.gym.bodies.scene import sample_bodies_scene

    return sample_bodies_scene
