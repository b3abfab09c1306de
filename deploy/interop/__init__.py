"""What becomes of domains, channels and votes for every kind of EL3 under every version of Xen's driver.

``board`` is the platform, ``stage`` boots it, ``scenarios`` play on it, ``reasons`` says why, ``grid`` puts
the results together, ``page`` draws them. Nothing here is predicted: each cell was played.
"""
