-- The key of each person's sealed data, wrapped by a key that is not in the database. Erasing a person deletes the row:
-- what was sealed under it cannot be opened any more, wherever it is. Leave this table out of the backups of the others
-- (docs/decisions/0039-erasing-a-person.md).
create table person_key (
    person_key uuid primary key,
    tenant text not null,
    key_id bytea not null check (length(key_id) = 8),
    kek text not null,
    wrapped bytea not null
);
comment on column person_key.kek is 'which key-encryption key wraps it';

-- Which key-encryption keys are in use, so that a process with another one says so instead of making more.
create table key_encryption_key (
    id text primary key,
    since timestamptz not null default now()
);

grant select, insert, delete on person_key to refex_writer;
grant select on person_key, key_encryption_key to refex_reader, refex_api;
grant select, insert on key_encryption_key to refex_writer;
grant delete on person_match to refex_writer;

alter table person_key enable row level security, force row level security;
create policy owner_all on person_key to current_user using (true) with check (true);
create policy writer_all on person_key to refex_writer using (true) with check (true);
create policy reader_all on person_key for select to refex_reader using (true);
-- Whoever sees a referral may open what they are shown of it.
create policy api_sees on person_key for select to refex_api using (
    tenant = asking_organization() or exists (select from referral r where r.person_key = person_key.person_key));

-- What opens a sealed field, in the statement that reads it: the key that wraps, the tenant, the wrapped key.
create function key_of(sealed bytea) returns bytea language sql stable
    return (
        select convert_to(k.kek || ' ' || k.tenant || ' ', 'UTF8') || k.wrapped from person_key k
        where k.key_id = substr(sealed, 18, 8)
            and k.person_key = case
                when substr(sealed, 1, 1) = '\x01'::bytea and length(sealed) > 25
                then encode(substr(sealed, 2, 16), 'hex')::uuid
            end);
