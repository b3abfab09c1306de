"""What nodes saw, as rows: ``rows`` says what a row is, ``record`` keeps them in one process with a
fingerprint, ``segments`` in files that survive kill -9. Engines write them; what they mean is the business
of ``deploy.experiments.history``.
"""
