"""Units of what this paper's claims compare."""

import math

from clinometer.studies.comparison import Unit

ERROR = Unit("relative", lambda log: math.inf if log >= 300 else 10.0**log)  # of a log10 of an error
COUNT = Unit("eigenvalues")
