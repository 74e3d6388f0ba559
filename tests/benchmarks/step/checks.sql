-- After every drain: how far, and whether the books of this database balance.

-- name: progress
select coalesce(sum(next_offset), 0)::bigint from progress

-- name: found
select
    (select count(*) from inbox) as inbox,
    (select count(*) from dead_letter) as dead,
    (select count(*) from inbox i where outcome = 'applied' and not exists (
        select from history h where h.event_id = i.event_id)) as idle,
    (select count(*) from lane l join (
        select lane, count(*) as n, max(lane_seq) as high from history group by lane) h using (lane)
        where (l.seq, h.n) is distinct from (h.high, h.high)) as gaps,
    (select count(*) from referral r join (
        select stream_id, count(*) as n, max(version) as high from history where kind = 'referral' group by stream_id) h
        on h.stream_id = r.id where (r.version, h.n) is distinct from (h.high, h.high)) as broken,
    (select count(*) from referral r where jsonb_array_length(coalesce(r.state -> 'hops', '[]')) <> (
        select count(*) from hop where referral_id = r.id)) as hopless

-- name: rows
select (select count(*) from referral) as referrals, (select count(*) from hop) as hops,
    (select count(*) from history) as facts, (select count(*) from deadline) as deadlines,
    (select count(*) from delivery) as deliveries, (select count(*) from inbox) as inbox,
    (select n_tup_upd from pg_stat_user_tables where relname = 'referral') as updates,
    (select n_tup_hot_upd from pg_stat_user_tables where relname = 'referral') as hot
