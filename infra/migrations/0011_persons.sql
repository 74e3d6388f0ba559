-- Persons: under which keyed hashes each may be found again (a fold of referral-received and referral-amended), and
-- who is still to be compared with other senders' persons (a queue, no projection). Links are streams of their own.
create table person_match (
    key uuid not null,
    person_key uuid not null,
    tenant text not null,
    primary key (key, person_key)
);

create table person_unlinked (
    person_key uuid primary key,
    tenant text not null,
    since timestamptz not null default clock_timestamp()
);
create index person_unlinked_since on person_unlinked (since);

create index referral_person on referral (person_key, domain, created_at desc);
create index stream_person_link on stream using gin ((data -> 'persons')) where kind = 'person-link';

grant select, insert on person_match to refex_writer;
grant select, insert, update, delete on person_unlinked to refex_writer;
grant select on person_match to refex_reader;

do $$
declare
    name text;
begin
    foreach name in array array['person_match', 'person_unlinked'] loop
        execute format('alter table %I enable row level security, force row level security', name);
        execute format('create policy owner_all on %I to current_user using (true) with check (true)', name);
        execute format('create policy writer_all on %I to refex_writer using (true) with check (true)', name);
    end loop;
end
$$;
create policy reader_all on person_match for select to refex_reader using (true);
