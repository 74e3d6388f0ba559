-- Break-glass: an operator's person opens one referral as one of its organizations sees it, with a reason, for an hour at
-- most. The row is the notice to that organization and what lets the database give out the person's key; the API writes
-- it with its audit record, cannot date it, and can only end it.
create table break_glass (
    id uuid primary key,
    tenant text not null references organization (id),
    operator text not null references organization (id),
    user_id uuid not null,
    referral_id uuid not null,
    reason text not null check (length(reason) between 10 and 500),
    opened_at timestamptz not null default now(),
    ends_at timestamptz not null,
    ended_at timestamptz,
    check (tenant <> operator),
    check (ends_at > opened_at and ends_at <= opened_at + interval '60 minutes')
);
comment on column break_glass.tenant is 'the organization whose view is opened, and which is told';
create index break_glass_tenant on break_glass (tenant, opened_at);
create index break_glass_operator on break_glass (operator, opened_at);

alter table break_glass enable row level security, force row level security;
create policy owner_all on break_glass to current_user using (true) with check (true);
create policy reader_all on break_glass for select to refex_reader using (true);
create policy api_sees on break_glass for select to refex_api using (
    tenant = asking_organization() or operator = asking_organization());
create policy api_opens on break_glass for insert to refex_api with check (
    operator = asking_organization() and asking_type() = 'operator');
create policy api_ends on break_glass for update to refex_api
    using (operator = asking_organization() and ended_at is null)
    with check (operator = asking_organization() and ended_at is not null);
grant select on break_glass to refex_reader, refex_api;
grant insert (id, tenant, operator, user_id, referral_id, reason, ends_at) on break_glass to refex_api;
grant update (ended_at) on break_glass to refex_api;

-- The notice to the organization's webhook, by ids.
create policy api_tells on delivery for insert to refex_api with check (
    kind = 'break-glass' and tenant = asking_organization()
    and exists (select from break_glass b where b.id = stream_id and b.tenant = recipient));
grant insert (id, tenant, recipient, kind, stream_id, version, type, status, at, next_attempt_at) on delivery to refex_api;

-- How many an organization was told of lately: a session that is looked up has no tenant yet.
create function openings_since(organization text, since timestamptz) returns bigint language sql stable security definer
    set search_path from current
    as $$ select count(*) from break_glass b where b.tenant = organization and b.opened_at > since $$;

-- Which one this transaction looks through.
create function asking_opening() returns uuid language sql stable parallel safe
    as $$ select nullif(current_setting('refex.opening', true), '')::uuid $$;

-- Whoever sees a referral may open what they are shown of it - but an operator, who sees ids, only what is open now.
drop policy api_sees on person_key;
create policy api_sees on person_key for select to refex_api using (
    tenant = asking_organization()
    or case when asking_type() = 'operator' then exists (
            select from break_glass b join referral r on r.id = b.referral_id
            where b.id = asking_opening() and b.operator = asking_organization()
                and b.ended_at is null and b.ends_at > clock_timestamp() and r.person_key = person_key.person_key)
        else exists (select from referral r where r.person_key = person_key.person_key) end);

-- Whether a key is there that an operator is not given: that is no erased person.
create function key_withheld(person uuid, key bytea) returns boolean language sql stable security definer
    set search_path from current
    as $$ select coalesce(asking_type() = 'operator', false)
        and exists (select from person_key k where k.person_key = person and k.key_id = key) $$;

-- As before; empty for a key that is withheld, null for one that is no more.
create or replace function key_of(sealed bytea) returns bytea language sql stable
    return coalesce(
        (select convert_to(k.kek || ' ' || k.tenant || ' ', 'UTF8') || k.wrapped from person_key k
        where k.key_id = substr(sealed, 18, 8)
            and k.person_key = case
                when substr(sealed, 1, 1) = '\x01'::bytea and length(sealed) > 25
                then encode(substr(sealed, 2, 16), 'hex')::uuid
            end),
        case when substr(sealed, 1, 1) = '\x01'::bytea and length(sealed) > 25
            and key_withheld(encode(substr(sealed, 2, 16), 'hex')::uuid, substr(sealed, 18, 8)) then ''::bytea end);

-- A look through it, its opening and its end are records of a kind of their own: they carry its id and its reason.
alter table audit_record drop constraint audit_record_kind_check;
alter table audit_record add constraint audit_record_kind_check check (kind in ('request', 'facts', 'break-glass'));
create index audit_record_break_glass on audit_record (at) where kind = 'break-glass';
