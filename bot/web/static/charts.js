// Draws charts from the days in data-days; the picture that is there without a script stays where this cannot run.
"use strict";
(() => {
  const drawn = new Set();
  const colour = (node, name, usual) => getComputedStyle(node).getPropertyValue(name).trim() || usual;

  const option = (box, days) => {
    const pale = colour(box, "--chart-pale", "#6b7280"), edge = colour(box, "--chart-edge", "#e0e4ea"), main = colour(box, "--chart", "#2f5fd0");
    const series = [{ type: "bar", name: box.dataset.now, data: days.map((day) => day.now), barMaxWidth: 36, itemStyle: { color: main, borderRadius: [2, 2, 0, 0] } }];
    if (box.dataset.before) series.push({ type: "line", name: box.dataset.before, data: days.map((day) => day.before), showSymbol: days.length === 1, symbolSize: 6, lineStyle: { color: pale, type: "dashed", width: 1.5, opacity: 0.7 }, itemStyle: { color: pale } });
    return {
      animation: false,
      grid: { left: 8, right: 8, top: 16, bottom: 4, containLabel: true },
      xAxis: { type: "category", data: days.map((day) => day.day.slice(5)), axisTick: { show: false }, axisLine: { lineStyle: { color: edge } }, axisLabel: { color: pale, fontSize: 11 } },
      yAxis: { type: "value", minInterval: 1, axisLabel: { color: pale, fontSize: 11 }, splitLine: { lineStyle: { color: edge } } },
      series,
    };
  };
  const draw = (box) => {
    const days = JSON.parse(box.dataset.days);
    const place = document.createElement("div");
    place.className = "chart-place";
    place.setAttribute("aria-hidden", "true");
    box.querySelector("svg").classList.add("unseen");
    box.prepend(place);
    const chart = echarts.init(place, null, { renderer: "canvas" });
    const told = box.querySelector("[data-told]");
    const at = (event) => days[Math.round(chart.convertFromPixel({ xAxisIndex: 0 }, event.offsetX))];
    const inside = (event) => chart.containPixel({ gridIndex: 0 }, [event.offsetX, event.offsetY]);
    chart.setOption(option(box, days));
    chart.getZr().on("mousemove", (event) => {
      const day = inside(event) ? at(event) : null;
      place.classList.toggle("is-link", Boolean(day?.url));
      told.textContent = day ? `${day.day} · ${box.dataset.now} ${day.now}${box.dataset.before ? ` · ${box.dataset.before} ${day.before}` : ""}` : "";
    });
    chart.getZr().on("globalout", () => { told.textContent = ""; });
    chart.getZr().on("click", (event) => { const day = inside(event) ? at(event) : null; if (day?.url) location.assign(day.url); });
    drawn.add({ chart, box, days });
  };
  const sweep = () => { for (const one of drawn) if (!one.box.isConnected) { one.chart.dispose(); drawn.delete(one); } };
  const start = (root) => { sweep(); for (const box of root.querySelectorAll("[data-days]")) draw(box); };

  start(document);
  document.addEventListener("lianke:fresh", (event) => start(event.target));
  addEventListener("resize", () => { sweep(); for (const one of drawn) one.chart.resize(); });
  new MutationObserver(() => { sweep(); for (const one of drawn) one.chart.setOption(option(one.box, one.days)); })
    .observe(document.documentElement, { attributeFilter: ["data-bs-theme"] });
})();
