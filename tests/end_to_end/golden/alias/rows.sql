INSERT INTO user_resolution (id, old_id, [timestamp]) VALUES
    (1, 'anon-00001', 1735689600),
    (2, NULL, 1735689601);
