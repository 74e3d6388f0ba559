-- Offer rounds, and the words of the life cycle: docs/lifecycle.md is made from the same tables, a test compares them.
alter table hop add column offer int not null default 0 check (offer >= 0);

alter table hop add constraint hop_status check (status in (
    'requested', 'accepted', 'in-progress', 'on-hold', 'completed', 'failed', 'rejected', 'cancelled', 'expired'));
alter table referral add constraint referral_status check (status in (
    'received', 'needs-review', 'requested', 'accepted', 'in-progress', 'on-hold', 'completed', 'failed', 'refused',
    'cancelled', 'entered-in-error'));
