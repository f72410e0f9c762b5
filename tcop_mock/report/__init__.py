"""Listeners on the events of a run, and the documents that are left of it.

``safe``: untrusted text made printable · ``columns``: text measured and wrapped · ``ruling``: what a verdict is worth ·
``words``, ``findings``, ``narrator``: what is said, once for all · ``text``, ``live``: who paints it · ``terminal``:
which of the two · ``document``: JSON · ``junit``: JUnit XML · ``files``: a report on disk.
"""
