"""The words of the field as frozen values. Pure, standard library only.

``secret``, ``target``: where to deliver · ``shape``: what a product sends · ``alarm``: one alarm and its callbacks ·
``profile``: how TCOP delivers · ``delivery``: what was sent and what came back · ``clause``, ``verdict``: what is
promised and what was found · ``events``: what a run tells as it goes.
"""
