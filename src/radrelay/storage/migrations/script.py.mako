"""${message}

Revision ID: ${up_revision}
"""

import sqlalchemy as sa
from alembic import op

from radrelay.storage.columns import Id, Instant

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = None
depends_on = None


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    raise NotImplementedError("a backup is restored instead")
