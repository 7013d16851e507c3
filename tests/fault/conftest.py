"""What fault tests stand on beside a platform: a place for bells."""

import pytest


@pytest.fixture(scope="module")
def belfry(platform, tmp_path_factory):
    """A place where replicas of the bell are started beside the platform; gone without a trace afterwards."""
    from tests.fault.belfry import Belfry

    place = Belfry(platform, tmp_path_factory.mktemp("bells"))
    yield place
    place.close()


@pytest.fixture
def bell(belfry):
    """A place with one bell that rings, started when it does not run."""
    if not any(replica.poll() is None for replica in belfry.replicas):
        belfry.start()
    return belfry
