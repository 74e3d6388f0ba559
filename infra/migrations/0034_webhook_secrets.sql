-- The secret that signs an organization's webhooks lies wrapped like those of 0031, in a table of its own: who sends
-- webhooks reads it, and neither the API nor the relay, which may read all of organization.
create table webhook_secret (
    tenant text primary key references organization (id),
    secret bytea not null,
    kek text
);
comment on column webhook_secret.kek is 'which key-encryption key wraps the secret; none: still in the clear';
insert into webhook_secret (tenant, secret)
    select id, convert_to(webhook_secret, 'UTF8') from organization where webhook_secret is not null;
alter table organization drop column webhook_secret;
alter table webhook_secret enable row level security, force row level security;
create policy owner_all on webhook_secret to current_user using (true) with check (true);
create policy writer_sees on webhook_secret for select to refex_writer using (true);
grant select on webhook_secret to refex_writer;
