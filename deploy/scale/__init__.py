"""What platforms of many domains cost, measured: ``python -m deploy.scale``. The page is engines/SCALE.md."""
