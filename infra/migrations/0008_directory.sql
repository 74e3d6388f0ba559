-- The directory: what a CBO says of its room is for everybody to see; which services changed since a version; search.
create policy api_sees_capacity on stream for select to refex_api using (kind = 'capacity');

-- Not a projection of facts: where each worker's snapshot of the directory goes on reading.
create table directory_change (
    id uuid primary key,
    version bigint not null
);
create index directory_change_version on directory_change (version);
insert into directory_change (id, version) select s.id, v.version from service s, directory_version v;
grant select, insert, update on directory_change to refex_writer;
grant select on directory_change to refex_reader;

-- Words as a search compares them: without accents, capitals and signs; what is too long for an index is cut off.
create function plain_words(words text) returns text language sql immutable parallel safe
return regexp_replace(
    lower(regexp_replace(normalize(left(words, 20000), nfkd), U&'[\0300-\036F]+', '', 'g')),
    '[!-/:-@\[-`{-~]+', ' ', 'g');

alter table service
    add column name text collate "C" generated always as (left(routing ->> 'name', 100)) stored,
    add column active boolean generated always as (coalesce((routing ->> 'active')::boolean, true)) stored,
    add column latitude double precision generated always as ((routing ->> 'latitude')::double precision) stored,
    add column longitude double precision generated always as ((routing ->> 'longitude')::double precision) stored,
    add column search tsvector generated always as (to_tsvector('simple'::regconfig, plain_words(
        coalesce(routing ->> 'name', '') || ' ' || coalesce(body ->> 'alternate_name', '') || ' '
        || coalesce(routing ->> 'organization', '') || ' ' || coalesce(body -> 'organization' ->> 'name', '') || ' '
        || coalesce(body ->> 'description', '')))) stored;
create index service_search on service using gin (search);
create index service_domains on service using gin ((routing -> 'domains'));
create index service_name on service (name, id) where active;
create index service_tenant on service (tenant, id);
