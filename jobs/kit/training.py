"""Train one model: fit → judge on a later window → register → promote, or say why not.

A challenger becomes champion only if it beats both the naive baseline and the present champion by the contract's
metric, the champion judged anew on the very window that the challenger is judged on, and keeps the contract's
thresholds. Training as of an earlier day than the champion's (a backfill) promotes nothing. The same data, code and
parameters make no second version.
"""

import hashlib
import importlib
import inspect
import json
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from threadpoolctl import threadpool_limits

from jobs.kit import lineage, process, registry
from jobs.kit.settings import settings
from jobs.models import contract as contracts
from jobs.models.base import NotEnoughError
from jobs.models.contract import ModelContract

if TYPE_CHECKING:
    from pyspark.sql import DataFrame


@dataclass(frozen=True)
class TrainResult:
    """What a training did. `metrics` and `baselines` are of the same later window."""

    name: str
    as_of: date
    verdict: str  # promoted | challenger | nothing new | not enough data
    text: str
    version: int | None = None
    metrics: Mapping[str, float] = field(default_factory=dict)
    baselines: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    champion: int | None = None
    champion_metrics: Mapping[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    def summary(self) -> dict[str, Any]:
        """For machines: the last line of the command."""
        return {**asdict(self), "table": f"models.{self.name}", "published": self.verdict == "promoted"}


@dataclass(frozen=True)
class Decision:
    """Whether a challenger is promoted, and why."""

    promoted: bool
    why: str


def run(name: str, as_of: date) -> TrainResult:
    """Train a model on the published versions of its inputs. NotThereError if one was never published."""
    from jobs.kit import lake

    node = lineage.full_name(name)
    versions: dict[str, int] = {}
    for table in lineage.inputs(node):
        found = lake.version(table)
        if found is None:
            raise lake.NotThereError(f"{node} needs {table}, which was never published: shoplake run {table}")
        versions[table] = found
    name = node.split(".")[1]
    with process.alone(settings().home, node):
        if known := _known(name, as_of, versions):
            return known

        from jobs.kit.session import session

        spark = session()
        tables = {t.split(".")[1]: lake.read(spark, t, at=v) for t, v in versions.items()}
        result = train(name, tables, as_of, versions)
        _record(result, versions)
        return result


def _record(result: TrainResult, versions: dict[str, int]) -> None:
    """A row in ops.runs, as any run leaves one."""
    from jobs.kit.run import Result, record

    row = Result(
        f"models.{result.name}", result.as_of, uuid.uuid4().hex[:12], result.verdict, seconds=result.seconds,
        version=result.version, inputs=versions, note=result.text,
    )  # fmt: skip
    record([row])


def train(name: str, tables: Mapping[str, "DataFrame"], as_of: date, data_versions: Mapping[str, int]) -> TrainResult:
    """Fit, judge, register and perhaps promote. `tables` by their bare names."""
    if known := _known(name, as_of, data_versions):
        return known
    start = time.monotonic()
    module, contract = importlib.import_module(f"jobs.models.{name}"), contracts.load(name)
    params = module.Params(**{k: tuple(v) if isinstance(v, list) else v for k, v in contract.params.items()})
    try:
        # One thread: fits are small, the engine is beside them, and threads that wait for a core spin.
        with threadpool_limits(1):
            fitted = module.fit(
                *(tables[bare] for bare in lineage.signature(f"models.{name}")[0]), as_of=as_of, params=params
            )
    except NotEnoughError as error:
        return TrainResult(name, as_of, "not enough data", f"not enough data: {error}")
    mark = fingerprint(name, as_of, data_versions)
    version = registry.find(name, mark)  # there already if an earlier training was cut short before its verdict
    rival, rival_metrics, unfit = None, None, ""
    try:
        rival = registry.champion(name)
        rival_metrics = module.evaluate(rival.model, fitted.window)
    except registry.NoChampionError:
        pass
    except (
        registry.UnusableError,
        KeyError,
        ValueError,
    ) as error:  # its features are no more: it could not score either
        unfit = str(error)
    if rival is not None and hasattr(module, "align") and rival.version != version:
        fitted = _aligned(module, fitted, rival.model)
    if version is None:
        version = registry.register(
            name,
            fitted,
            module=module.__name__,
            as_of=as_of,
            data_versions=data_versions,
            fingerprint=mark,
            requires=module.REQUIRES,
        )
    if rival is not None and rival.version == version:
        decision = Decision(True, f"promoted: version {version} is the champion")
    elif rival is not None and rival.as_of > as_of:
        why = f"the champion was trained as of {rival.as_of}, so it may have seen what would be its test as of {as_of}"
        decision = Decision(False, f"stays challenger: {why}")
    else:
        decision = decide(contract, fitted.metrics, fitted.baselines, rival_metrics, unfit)
    registry.settle(name, version, promoted=decision.promoted, why=decision.why)
    return TrainResult(
        name,
        as_of,
        "promoted" if decision.promoted else "challenger",
        f"version {version} {decision.why}",
        version,
        fitted.metrics,
        fitted.baselines,
        version if decision.promoted else rival.version if rival else None,
        rival_metrics or {},
        round(time.monotonic() - start, 2),
    )


def decide(
    contract: ModelContract,
    challenger: Mapping[str, float],
    baselines: Mapping[str, Mapping[str, float]],
    champion: Mapping[str, float] | None,
    unfit: str = "",
) -> Decision:
    """Promote only what beats the naive baseline and the champion, all on one window, and keeps the thresholds."""
    metric, sign = contract.metric, 1 if contract.metric.better == "higher" else -1
    own, naive = challenger[metric.name], baselines[contract.baseline][metric.name]
    against = [(contract.baseline, naive)]
    if champion is not None:
        against.append(("the champion", champion[metric.name]))
    said = f"{metric.name} {own:.3f} against " + ", ".join(f"{who} {value:.3f}" for who, value in against)
    lost = [
        who for who, value in against if not sign * (own - value) > (metric.min_gain if who != contract.baseline else 0)
    ]
    if lost:
        return Decision(False, f"stays challenger: does not beat {' and '.join(lost)} ({said})")
    for name, bound in contract.thresholds.items():
        value = challenger[name]
        if (bound.min is not None and not value >= bound.min) or (bound.max is not None and not value <= bound.max):
            limits = " and ".join(
                f"{k} {v}" for k, v in (("at least", bound.min), ("at most", bound.max)) if v is not None
            )
            return Decision(False, f"stays challenger: {name} is {value:.3f}, {limits} is wanted ({said})")
    note = f"; the champion could not be judged: {unfit}" if unfit else ""
    for other, metrics in baselines.items():  # it need not be beaten, and whoever reads this should know
        if sign * (metrics[metric.name] - own) > 0:
            note += f"; {other} reaches {metrics[metric.name]:.3f}"
    return Decision(True, f"promoted: {said}{note}")


def fingerprint(name: str, as_of: date, data_versions: Mapping[str, int]) -> str:
    """Names a training by all that it hangs on: data, day, contract, and the code of the model and of what it calls."""
    module = importlib.import_module(f"jobs.models.{name}")
    said = [
        name,
        as_of.isoformat(),
        sorted(data_versions.items()),
        contracts.load(name).model_dump_json(),
        settings().timezone,
    ]
    digest = hashlib.sha256(json.dumps(said).encode())
    for path in sorted(_code(module, {})):
        digest.update(Path(path).read_bytes())
    return digest.hexdigest()[:16]


def _code(module: ModuleType, found: dict[str, None]) -> dict[str, None]:
    """The source files of a module and of all modules of ours that it takes something from."""
    found[str(inspect.getsourcefile(module))] = None
    for thing in list(vars(module).values()):
        other = thing if inspect.ismodule(thing) else sys.modules.get(getattr(thing, "__module__", None) or "")
        if other and other.__name__.startswith("jobs.") and str(inspect.getsourcefile(other)) not in found:
            _code(other, found)
    return found


def _known(name: str, as_of: date, data_versions: Mapping[str, int]) -> TrainResult | None:
    """The result of the same training, if it was done and judged before."""
    version = registry.find(name, fingerprint(name, as_of, data_versions))
    if version is None or (why := registry.verdict(name, version)) is None:
        return None
    metrics = registry.metrics(name, version)
    return TrainResult(name, as_of, "nothing new", f"nothing new: version {version} was {why}", version, metrics)


def _aligned(module: ModuleType, fitted: Any, previous: Any) -> Any:
    from dataclasses import replace

    return replace(fitted, model=module.align(fitted.model, previous))
