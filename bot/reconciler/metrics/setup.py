"""Start the metrics that IMKER_METRICS asks for."""

import os
from contextlib import ExitStack

from redis import Redis

from bot.reconciler.metrics.address import metrics_address
from bot.reconciler.metrics.run_observer import RunObserver
from imker.config import ConfigError
from imker.signing import SigningKey


def start_metrics(stack: ExitStack, redis: "Redis", key: SigningKey) -> RunObserver:
    """Return the observer of runs. With IMKER_METRICS, serve until the stack is closed. Raises ConfigError."""
    try:
        address = metrics_address(os.environ)
    except ValueError as problem:
        raise ConfigError([str(problem)]) from problem
    if address is None:
        return RunObserver()
    try:
        from prometheus_client import CollectorRegistry

        from bot.reconciler.metrics.collector import StateCollector
        from bot.reconciler.metrics.prometheus import PrometheusRecorder
        from bot.reconciler.metrics.server import serve
    except ModuleNotFoundError as missing:
        raise ConfigError([f"IMKER_METRICS: {missing.name} is not installed; install 'imker[metrics]'"]) from missing
    registry = CollectorRegistry()
    observer = RunObserver(PrometheusRecorder(registry))
    registry.register(StateCollector(redis, key, lambda: observer.states))
    try:
        stack.enter_context(serve(registry, redis, address))
    except OSError as error:
        raise ConfigError([f"IMKER_METRICS: cannot listen on this address: {error.strerror}"]) from error
    return observer
