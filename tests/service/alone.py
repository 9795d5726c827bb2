"""One picture, classified as the service does it, for one who is alone."""

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor

from service.answers import Answer
from service.classifier import Classifier
from service.generation import Generation
from service.pool import Pool
from service.registry import Registry
from shared.decode import DecodeLimits


def classify_alone(data: bytes, generation: Generation, *, count: int, limits: DecodeLimits | None = None) -> Answer:
    registry, pool = Registry(), Pool(lanes=1, max_waiting=0)
    registry.put(generation)
    with ThreadPoolExecutor(1) as executor:
        classifier = Classifier(registry=registry, pool=pool, executor=executor, limits=limits or DecodeLimits())
        return asyncio.run(classifier.classify(data, model=generation.name, count=count, deadline=math.inf))
