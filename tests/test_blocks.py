"""Blocks and threads: nothing is left out, and no bit depends on the threads."""

import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from distilbert_np import blocks, functions, runtime

SHAPES = [
    (0, 5), (1,), (7,), (1000,), (3, 4), (1, 300), (40, 7), (3, 5, 7), (2, 3, 11, 13),
    (6, 1, 1, 50), (2, 0, 3),
]


@pytest.fixture
def small_blocks(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 32)


@pytest.fixture
def n_threads(monkeypatch):
    """Return a function that sets how many threads work."""
    def set_to(n):
        monkeypatch.setattr(blocks, "n_threads", lambda: n)
        monkeypatch.setattr(runtime, "n_threads", lambda: n)
        runtime.helpers.cache_clear()

    yield set_to
    runtime.helpers.cache_clear()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_row_is_in_one_block(small_blocks, shape):
    seen = np.zeros(shape, int)
    for block in blocks.blocks(shape):
        part = seen[block]
        assert part.shape[-1] == shape[-1]       # rows are whole
        assert part.size <= max(blocks.BLOCK, shape[-1])
        part += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("n", [1, 2, 5])
def test_results_come_in_the_order_of_the_blocks(small_blocks, n_threads, n):
    n_threads(n)
    x, y = np.arange(600.0).reshape(200, 3), np.zeros((200, 3))

    def work(y, x, column):
        np.add(x, column, out=y)
        return x[0, 0]

    firsts = blocks.in_blocks(work, y, x, np.array([[100.0]]))
    assert len(firsts) == 20 and firsts == sorted(firsts)
    np.testing.assert_array_equal(y, x + 100)


def test_each_thread_takes_blocks(small_blocks, n_threads):
    # Two blocks that wait for each other can only end if two threads have them.
    n_threads(2)
    both = threading.Barrier(2)
    blocks.in_blocks(lambda x: both.wait(timeout=60), np.zeros((4, 16)))


def test_an_error_in_another_thread_arrives(small_blocks, n_threads):
    n_threads(2)
    both = threading.Barrier(2)
    main = threading.current_thread()

    def fail_elsewhere(x):
        both.wait(timeout=60)
        if threading.current_thread() is not main:
            raise ZeroDivisionError("a helper's")

    with pytest.raises(ZeroDivisionError, match="a helper's"):
        blocks.in_blocks(fail_elsewhere, np.zeros((4, 16)))


@pytest.mark.parametrize("handling", ["ignore", "raise"])
def test_numpy_s_error_handling_holds_in_every_thread(
    small_blocks, n_threads, handling
):
    n_threads(2)
    both = threading.Barrier(2)
    settings = []

    def note(x):
        both.wait(timeout=60)
        settings.append(np.geterr()["over"])

    with np.errstate(over=handling):
        blocks.in_blocks(note, np.zeros((4, 16)))
    assert settings == [handling] * 2


def primitives():
    """Return what each primitive that works in blocks makes of some rows."""
    rng = np.random.default_rng(0)
    x, dy = rng.standard_normal((2, 3, 50, 7)).astype(np.float32) * 3
    gain, hidden = dy[0, 0], np.where(dy[:, :1] > 0, 0, -1e30).astype(np.float32)
    dx, norm_grads = functions.layer_norm_backward(dy, x, gain)
    return [
        functions.gelu(x), functions.gelu_backward(dy, x), functions.erf(x),
        functions.softmax(x), functions.softmax(x, hidden),
        functions.softmax_backward(dy, functions.softmax(x)),
        functions.layer_norm(x, gain, gain), dx, *norm_grads.values(),
    ]


def test_the_number_of_threads_changes_no_bit(small_blocks, n_threads):
    results = []
    for n in (1, 2, 5):
        n_threads(n)
        results += [primitives(), primitives()]
    for other in results[1:]:
        for one, two in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(one, two)


def test_blocks_change_nothing_but_the_order_of_sums(monkeypatch):
    whole = primitives()
    monkeypatch.setattr(blocks, "BLOCK", 32)
    *elementwise, dweight, dbias = zip(whole, primitives(), strict=True)
    for one, two in elementwise:
        np.testing.assert_array_equal(one, two)
    for one, two in (dweight, dbias):
        np.testing.assert_allclose(one, two, rtol=1e-5, atol=1e-5)


def test_many_callers_share_the_helpers(small_blocks, n_threads):
    n_threads(2)
    expected = primitives()
    found = []
    callers = [
        threading.Thread(target=lambda: found.append(primitives())) for _ in range(8)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(found) == 8
    for results in found:
        for one, two in zip(expected, results, strict=True):
            np.testing.assert_array_equal(one, two)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is Unix's")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_forked_child_has_helpers_of_its_own(small_blocks, n_threads):
    n_threads(2)
    primitives()                                 # the parent's helpers are there
    child = os.fork()
    if child == 0:
        both = threading.Barrier(2)
        blocks.in_blocks(lambda x: both.wait(timeout=60), np.zeros((4, 16)))
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def python(code, **variables):
    """Return what Python prints with these environment variables alone for threads."""
    names = (*runtime.LIMITS, "OPENBLAS_THREAD_TIMEOUT")
    rest = {name: value for name, value in os.environ.items() if name not in names}
    return subprocess.run(
        [sys.executable, "-c", code], env=rest | variables, check=True, text=True,
        capture_output=True,
    ).stdout.strip()


def test_a_limit_for_blas_is_one_for_us():
    count = "from distilbert_np.runtime import n_threads; print(n_threads())"
    assert python(count, OMP_NUM_THREADS="1") == "1"
    assert python(count, OPENBLAS_NUM_THREADS="1", OMP_NUM_THREADS="64") == "1"
    if hasattr(os, "sched_getaffinity"):
        assert int(python(count)) == len(os.sched_getaffinity(0))
    assert python(count, OMP_NUM_THREADS="many") == python(count)


def test_the_package_sets_the_time_that_blas_spins_before_numpy_is_loaded():
    tell = "import distilbert_np, os; print(os.environ['OPENBLAS_THREAD_TIMEOUT'])"
    assert python(tell) == "20"
    assert python(tell, OPENBLAS_THREAD_TIMEOUT="8") == "8"
    order = (
        "import sys; sys.path_importer_cache.clear()\n"
        "class Watch:\n"
        "    def find_spec(self, name, *rest):\n"
        "        if name == 'numpy':\n"
        "            import os; print('OPENBLAS_THREAD_TIMEOUT' in os.environ)\n"
        "sys.meta_path.insert(0, Watch())\n"
        "import distilbert_np"
    )
    assert python(order) == "True"


def test_the_model_s_bits_do_not_depend_on_our_threads():
    code = (
        "import numpy as np; from hashlib import sha256\n"
        "from distilbert_np import blocks; blocks.BLOCK = 4096\n"
        "from distilbert_np import DistilBertConfig, DistilBertModel\n"
        "config = DistilBertConfig(dim=96, n_heads=4, hidden_dim=384, n_layers=2)\n"
        "ids = np.random.default_rng(0).integers(1, 30522, (8, 64))\n"
        "h = DistilBertModel(config)(ids).last_hidden_state\n"
        "print(sha256(h).hexdigest())"
    )
    # One thread for BLAS, whose own bits depend on it; of ours, one or three.
    several = code.replace("from hashlib", "from distilbert_np import blocks, runtime\n"
                           "runtime.n_threads = blocks.n_threads = lambda: 3\n"
                           "from hashlib")
    one = python(code, OPENBLAS_NUM_THREADS="1")
    assert one == python(code, OPENBLAS_NUM_THREADS="1")
    assert one == python(several, OPENBLAS_NUM_THREADS="1")


def test_freed_memory_is_kept_for_the_next_array():
    code = (
        "import resource, numpy as np, distilbert_np\n"
        "def faults():\n"
        "    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt\n"
        "np.ones(1 << 25, np.float32); before = faults()\n"
        "for _ in range(10): np.ones(1 << 25, np.float32)\n"
        "print(faults() - before)"
    )
    if not runtime.keep_freed_memory():
        pytest.skip("not glibc")
    assert int(python(code)) < 1000              # 32,000 pages each time otherwise
