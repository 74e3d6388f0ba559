-- The people: a row each, only to be locked. Routing holds it `for share`, a consent that changes `for update`.
create table person_lock (person_key uuid primary key);

-- Each recorded consent as it stands, a fold of its facts; no names in it.
create table person_consent (
    consent uuid primary key,
    person_key uuid not null,
    tenant text not null,
    record jsonb not null
) with (fillfactor = 80);
create index person_consent_person on person_consent (person_key);
create index referral_consent on referral (sender, (state ->> 'consent_id')) where state ->> 'consent_id' is not null;

grant select, insert, update on person_lock, person_consent to refex_writer;
grant select on person_consent to refex_reader, refex_api;
alter table person_consent enable row level security, force row level security;
create policy owner_all on person_consent to current_user using (true) with check (true);
create policy writer_all on person_consent to refex_writer using (true) with check (true);
create policy reader_all on person_consent for select to refex_reader using (true);
-- Whoever sees a referral sees whether its consent still holds.
create policy api_sees on person_consent for select to refex_api using (
    tenant = asking_organization() or exists (select from referral r where r.person_key = person_consent.person_key));

-- Read in the same statement as the referral, so that what is shown follows the consent, not only the status.
create function consents_of(person uuid) returns jsonb language sql stable
    return (select jsonb_object_agg(c.consent, c.record) from person_consent c where c.person_key = person);
