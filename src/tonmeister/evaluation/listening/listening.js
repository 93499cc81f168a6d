"use strict";
(() => {
  const $$ = (id) => document.getElementById(id);
  const test = JSON.parse($$("test").textContent);
  const place = `tonmeister-listening:${test.test}`;
  const sections = ["start", "trial", "end"], LANES = 4, MARK_WIDTH = 5;
  let state = null, player = null, rows = [], shownAt = 0, away = false, shortcuts = true;

  /* Kept answers: {current: state or null, done: [states]}. */
  const kept = () => {
    try { return JSON.parse(localStorage.getItem(place)) || { current: null, done: [] }; } catch { return { current: null, done: [] }; }
  };
  const keep = (data) => {
    try { localStorage.setItem(place, JSON.stringify(data)); return true; } catch { return false; }
  };
  const save = () => {
    if (!state || keep({ ...kept(), current: state })) { return; }
    trouble("This browser keeps no answers. Do not close or reload the page before you have downloaded them.");
  };

  /* Order from a seed (mulberry32), so that it can be made again. */
  const random = (seed) => () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const shuffled = (items, draw) => {
    const list = [...items];
    for (let k = list.length - 1; k > 0; k -= 1) {
      const other = Math.floor(draw() * (k + 1));
      [list[k], list[other]] = [list[other], list[k]];
    }
    return list;
  };
  const freshSeed = () => {
    const asked = new URLSearchParams(location.search).get("seed");
    return asked !== null && /^\d{1,9}$/.test(asked) ? Number(asked) : crypto.getRandomValues(new Uint32Array(1))[0];
  };
  const list = (song) => document.querySelector(`.versions[data-song="${song}"]`);
  const versions = (song) => [...list(song).children].map((row) => row.dataset.condition);
  const freshState = (seed) => {
    const draw = random(seed);
    const pages = shuffled(test.songs, draw).flatMap((song) => test.criteria.map((criterion) => ({
      song,
      criterion: criterion.name,
      order: shuffled(versions(song), draw),
      answers: Object.fromEntries(versions(song).map((name) => [name, { score: null, plays: 0, heard_s: 0 }])),
      page_s: 0, started_at: "", finished_at: "", comment: "",
    })));
    return { test: test.test, listener: "", seed, level_db: Number($$("level").value), at: -1, pages };
  };

  const show = (name) => {
    sections.forEach((section) => { $$(section).hidden = section !== name; });
    $$(`${name}-title`).focus();
    window.scrollTo(0, 0);
  };
  const say = (text) => { $$("status").textContent = ""; setTimeout(() => { $$("status").textContent = text; }, 30); };
  const trouble = (text) => { $$("trouble").textContent = text; $$("trouble").hidden = !text; };
  const gain = (level) => Math.pow(10, level / 20);
  const minus = (number) => String(number).replace("-", "\u2212");

  /* ---- the answers as CSV ---- */
  const quoted = (value) => {
    let text = String(value === null ? "" : value);
    if (/^[=+@\t]/.test(text) || (/^-/.test(text) && !/^-?[\d.]+$/.test(text))) { text = ` ${text}`; }
    return /[",\r\n]/.test(text) || text !== text.trim() ? `"${text.replace(/"/g, '""')}"` : text;
  };
  const lines = (one) => one.pages.flatMap((page, index) => (page.finished_at ? page.order.map((name, spot) => {
    const answer = page.answers[name];
    const row = {
      test: one.test, listener: one.listener, seed: one.seed, page: index + 1, song: page.song,
      criterion: page.criterion, position: spot + 1, condition: name, score: answer.score, plays: answer.plays,
      heard_s: answer.heard_s.toFixed(1), page_s: page.page_s.toFixed(1), started_at: page.started_at,
      finished_at: page.finished_at, level_db: one.level_db, comment: page.comment,
    };
    return test.columns.map((column) => quoted(row[column])).join(",");
  }) : []));
  const csv = (states) => [test.columns.join(","), ...states.flatMap(lines)].join("\r\n") + "\r\n";
  const download = (text, name) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
    link.download = name;
    document.body.append(link);
    link.click();
    link.remove();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
    say("The file was handed to the browser.");
  };

  /* ---- the start ---- */
  const hasAnswers = (one) => one !== null && one.pages.some((page) => page.started_at);
  const showLevel = () => {
    const level = Number($$("level").value);
    $$("level").setAttribute("aria-valuetext", `${minus(level)} decibels`);
    $$("level-shown").textContent = `${minus(level)} dB`;
    $$("level-audio").volume = gain(level);
  };
  const stopNoise = () => {
    $$("level-audio").pause();
    $$("level-play").setAttribute("aria-pressed", "false");
    $$("level-play").textContent = "Play the noise";
  };
  const start = () => {
    const before = kept();
    state = before.current;
    const going = hasAnswers(state);
    $$("kept").hidden = $$("anew").hidden = !going;
    $$("begin").textContent = going ? "Go on" : "Begin";
    if (going) {
      const done = state.pages.filter((page) => page.finished_at).length;
      $$("kept").textContent = `Answers of ${state.listener} are kept in this browser: ${done} of ${state.pages.length} pages. You can go on where you stopped.`;
      $$("listener").value = state.listener;
      $$("level").value = state.level_db;
    }
    $$("save-all").hidden = !(going || before.done.length);
    showLevel();
    show("start");
  };
  const begin = () => {
    stopNoise();
    if (!hasAnswers(state)) { state = freshState(freshSeed()); }
    state.listener = $$("listener").value.trim() || state.listener || `listener-${state.seed}`;
    state.level_db = Number($$("level").value);
    state.at = Math.max(state.at, 0);
    save();
    if (state.at >= state.pages.length) { finish(); } else { open(state.at); }
  };

  /* ---- one page ---- */
  const page = () => state.pages[state.at];
  const number = (index) => `version ${index + 1}`;
  const countTime = () => {
    const now = performance.now();
    if (!$$("trial").hidden && state && state.at < state.pages.length && !away) { page().page_s += (now - shownAt) / 1000; }
    shownAt = now;
  };
  const close = () => {
    if (player) { countTime(); player.close(); player = null; }
  };
  const open = (index) => {
    close();
    state.at = index;
    const now = page(), asked = test.criteria.find((one) => one.name === now.criterion);
    now.started_at = now.started_at || new Date().toISOString();
    $$("trial-title").textContent = `${now.criterion}: page ${index + 1} of ${state.pages.length}`;
    $$("question").textContent = asked.question;
    $$("low").textContent = `0, ${asked.low}`;
    $$("high").textContent = `${asked.high}, 100`;
    $$("comment").value = now.comment;
    $$("back").disabled = index === 0;
    $$("missing").hidden = true;
    $$("status").textContent = "";
    document.querySelectorAll(".versions").forEach((one) => { one.hidden = one.dataset.song !== now.song; });
    arrange(now);
    player = new Player(rows.map((row) => row.querySelector("audio")), { moved, heard, failed, state: showState });
    player.loop = $$("loop").checked;
    player.setGain(gain(state.level_db));
    shownAt = performance.now();
    showState();
    moved(0);
    save();
    show("trial");
  };
  const arrange = (now) => {
    const parent = list(now.song);
    rows = now.order.map((name) => parent.querySelector(`[data-condition="${name}"]`));
    $$("axis").replaceChildren();
    rows.forEach((row, index) => {
      parent.append(row);
      row.querySelectorAll(".number").forEach((span) => { span.textContent = number(index); });
      row.querySelector(".play").onclick = () => hear(index);
      const slider = row.querySelector("input"), mark = document.createElement("span");
      const { score } = now.answers[row.dataset.condition];
      slider.value = score === null ? 50 : score;
      slider.oninput = () => rate(index);
      mark.textContent = String(index + 1);
      $$("axis").append(mark);
      showRating(index);
    });
    showOrder();
  };
  const rate = (index) => {
    page().answers[rows[index].dataset.condition].score = Number(rows[index].querySelector("input").value);
    showRating(index);
    showOrder();
    save();
  };
  const showRating = (index) => {
    const slider = rows[index].querySelector("input"), { score } = page().answers[rows[index].dataset.condition];
    slider.setAttribute("aria-valuetext", score === null ? "not rated yet" : `${score} of 100`);
    rows[index].querySelector("output").textContent = score === null ? "not rated" : String(score);
  };
  /* The axis shows what is rated; marks that would cover each other stand one above the other. */
  const showAxis = () => {
    const lanes = Math.min(rows.length, LANES), taken = Array(lanes).fill(-Infinity);
    const scores = page().order.map((name) => page().answers[name].score);
    $$("axis").style.setProperty("--lanes", String(lanes));
    [...scores.keys()].sort((one, other) => scores[one] - scores[other] || one - other).forEach((index) => {
      const mark = $$("axis").children[index];
      mark.hidden = scores[index] === null;
      if (mark.hidden) { return; }
      const free = taken.findIndex((end) => scores[index] - end >= MARK_WIDTH), lane = free < 0 ? index % lanes : free;
      taken[lane] = scores[index];
      mark.style.left = `${scores[index]}%`;
      mark.style.setProperty("--lane", String(lane));
    });
  };
  const orderText = () => {
    const rated = page().order.map((name, index) => [index, page().answers[name].score]).filter(([, score]) => score !== null);
    rated.sort((one, other) => other[1] - one[1]);
    return rated.length ? `Order so far, highest first: ${rated.map(([index, score]) => `${number(index)} (${score})`).join(", ")}.` : "Nothing is rated yet.";
  };
  const showOrder = () => { $$("order").textContent = orderText(); showAxis(); };
  const hear = (index) => {
    const answer = page().answers[rows[index].dataset.condition];
    if (player.playing && player.at === index) { player.pause(); return; }
    player.select(index);
    player.play();
    answer.plays += 1;
    save();
  };
  const toggle = () => { if (player.playing) { player.pause(); } else { hear(player.at); } };
  const step = (by) => {
    const index = (player.at + by + rows.length) % rows.length;
    if (!player.playing || index !== player.at) { hear(index); }
    rows[index].querySelector("input").focus();
  };
  const showState = () => {
    if (!player) { return; }
    rows.forEach((row, index) => {
      const on = player.playing && player.at === index;
      row.classList.toggle("playing", on);
      $$("axis").children[index].classList.toggle("playing", on);
      row.querySelector(".play").setAttribute("aria-pressed", String(on));
      row.querySelector(".play").firstChild.textContent = on ? "\u25A0 Playing " : "\u25B6 Play ";
    });
    $$("toggle").textContent = player.playing ? "Pause" : "Play";
  };
  const moved = (seconds) => {
    if (!player) { return; }
    const length = player.duration;
    $$("position").max = String(Math.max(length, 0.1));
    $$("position").value = String(seconds);
    $$("position").setAttribute("aria-valuetext", `${Math.round(seconds)} of ${Math.round(length)} seconds`);
    $$("position-shown").textContent = `${Math.round(seconds)} of ${Math.round(length)} s`;
  };
  const heard = (index, seconds) => { page().answers[rows[index].dataset.condition].heard_s += seconds; };
  const failed = (index) => trouble(`The sound of ${number(index)} cannot be played. Tell whoever asked you, and name this page.`);

  const incomplete = () => page().order.flatMap((name, index) => {
    const answer = page().answers[name], lacks = [];
    if (!answer.plays) { lacks.push("not heard"); }
    if (answer.score === null) { lacks.push("not rated"); }
    return lacks.length ? [`${number(index)} is ${lacks.join(" and ")}`] : [];
  });
  const leave = (to) => {
    countTime();
    page().comment = $$("comment").value.trim();
    if (to > state.at) {
      const lacks = incomplete();
      $$("missing").textContent = lacks.length ? `Please hear and rate every version: ${lacks.join("; ")}.` : "";
      $$("missing").hidden = !lacks.length;
      if (lacks.length) { save(); return; }
    }
    if (!incomplete().length) { page().finished_at = new Date().toISOString(); }
    close();
    state.at = to;
    save();
    if (to >= state.pages.length) { finish(); } else { open(to); }
  };

  /* ---- the end ---- */
  const finish = () => {
    close();
    $$("answers").value = csv([state]);
    $$("save-all").hidden = !kept().done.length;
    show("end");
  };
  const fileName = (one) => `listening-${test.test}-${one.listener.replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 40)}-${one.seed}.csv`;

  const onKey = (event) => {
    if (!shortcuts || $$("trial").hidden || event.ctrlKey || event.metaKey || event.altKey) { return; }
    const target = event.target, key = event.key.toLowerCase();
    if (target.matches("textarea, input[type=text]")) { return; }
    if (key === " " && target.matches("button, input[type=checkbox], summary, a")) { return; }
    const digit = /^[0-9]$/.test(key) ? (Number(key) + 9) % 10 : -1;
    if (digit >= 0 && digit < rows.length) {
      if (!(player.playing && player.at === digit)) { hear(digit); }
      rows[digit].querySelector("input").focus();
    } else if (key === " ") { toggle(); }
    else if (key === "n") { step(1); }
    else if (key === "p") { step(-1); }
    else if (key === "r") { player.seek(0); }
    else if (key === "o") { say(orderText()); }
    else { return; }
    event.preventDefault();
  };

  $$("level").oninput = showLevel;
  $$("level-play").onclick = () => {
    const noise = $$("level-audio");
    if (!noise.paused) { stopNoise(); return; }
    noise.play().catch(() => trouble("The noise cannot be played. Is the whole folder here, not the page alone?"));
    $$("level-play").setAttribute("aria-pressed", "true");
    $$("level-play").textContent = "Stop the noise";
  };
  $$("shortcuts").onchange = () => { shortcuts = $$("shortcuts").checked; };
  $$("begin").onclick = begin;
  $$("anew").onclick = () => {
    if (!window.confirm("Forget the answers kept in this browser? They cannot be brought back.")) { return; }
    keep({ ...kept(), current: null });
    $$("listener").value = "";
    start();
  };
  $$("toggle").onclick = toggle;
  $$("restart").onclick = () => player.seek(0);
  $$("loop").onchange = () => { player.loop = $$("loop").checked; };
  $$("position").oninput = () => player.seek(Number($$("position").value));
  $$("back").onclick = () => leave(state.at - 1);
  $$("next").onclick = () => leave(state.at + 1);
  $$("comment").onchange = () => { page().comment = $$("comment").value.trim(); save(); };
  $$("download").onclick = () => download(csv([state]), fileName(state));
  $$("review").onclick = () => open(state.pages.length - 1);
  $$("another").onclick = () => {
    keep({ current: null, done: [...kept().done, state] });
    $$("listener").value = "";
    start();
  };
  $$("save-all").onclick = () => {
    const { current, done } = kept();
    download(csv([...done, ...(current ? [current] : [])]), `listening-${test.test}-all.csv`);
  };
  document.addEventListener("keydown", onKey);
  document.addEventListener("visibilitychange", () => {
    countTime();
    away = document.hidden;
  });
  window.addEventListener("pagehide", () => { countTime(); save(); });
  start();
})();
