"""How fast this project is on the reader's machine, beside PyTorch and onnxruntime.

    machine.py      what it runs on: processor, threads, versions, BLAS
    checkpoint.py   the model that is measured, and texts for it
    contenders.py   ours, PyTorch and onnxruntime, as functions to call
    timing.py       contenders in turn, medians; launch.py starts whole processes
    forward.py      the forward pass, and how much of it is matrix products
    growth.py       how the cost grows with length, batch and layers
    step.py         a training step, and its memory
    texts.py        many texts to vectors
    start.py        from process start to the first answer
    tables.py       rows → text
    report.py       all of it, one after another
"""
