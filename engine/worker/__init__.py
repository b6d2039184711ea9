"""The worker: a program, not a library. `python -P -m engine.worker <run_dir>` executes one run and writes its files.

The only home of the ML libraries. Imports engine.spec and engine.monitor alone, so that the same three folders run on
any machine; nobody imports it.
"""
