INSERT INTO screens (id, screen_name, session_started, [timestamp]) VALUES
    (1, N'Réglages', '2026-01-02T03:04:05.678', 1735689600),
    (2, N'設定', NULL, 1735689601);
