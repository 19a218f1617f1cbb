"""What the table says: column types, event time, label and task, key, batches, label delay. Imports no other room here.

``profile_table`` is the way in; each other module holds one conclusion and how it is reached.
"""
