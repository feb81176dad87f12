"""Import every room's tables once, so that Base.metadata is whole."""

import app.agreements.models
import app.api.models
import app.bookings.models
import app.capacity.models
import app.core.outbox
import app.directory.models
import app.federation.models
import app.firms.models
import app.hours.models
import app.invoices.models
import app.machines.models
import app.matching.models
import app.notary.models
import app.offers.models
import app.partners.models
import app.passkeys.models
import app.plans.models
import app.push.models
import app.requests.models
import app.trouble.models  # noqa: F401
