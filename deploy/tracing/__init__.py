"""What a platform's calls were, from what its nodes recorded. TRACES.md tells what can be seen.

``calls`` makes whole calls of events, ``lines`` writes them as text, ``live`` reads a platform that is
running; ``describing`` keeps beside a flight recorder's rows what the platform was made of. ``capture``
writes rows for Wireshark and reads them back, ``dissector`` makes its Lua script (CAPTURE.md).
"""
