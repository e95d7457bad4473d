# Leaves out the parts of uPlot that the page does not use (its legend, cursor and selection, its own
# paths, bands, date formats, logarithmic scales), so that the whole page stays below 60 KB.
# Used by build.sh on the pinned uPlot.esm.js. A function named here becomes an empty one, a line that
# fits a pattern goes or is replaced, as does a block that such a line begins; what is not found means
# another version: the build then stops.
BEGIN {
  split("bars splineInterp _monotoneCubic monotoneCubic join linear stepped points orient _drawAcc rect " \
        "findGaps clipGaps addGap clipBandLine bandFillClipDirs " \
        "genTimeStuffs timeAxisStamps timeAxisVals timeAxisVal timeSeriesVal timeSeriesStamp fmtDate tzDate " \
        "rangeLog rangeAsinh rangeNum _rangeNum seriesPointsShow isAsc numAxisVals numSeriesVal logAxisSplits asinhAxisSplits log10AxisValsFilt log2AxisValsFilt " \
        "legendStroke legendFill cursorPointShow cursorPointFill cursorPointStroke cursorPointSize cursorMove " \
        "filtBtn0 filtTarg clampScale " \
        "initLegendRow syncLegend setLegend setLegendValues autoPadSide drawSeries_ " \
        "setSelect hideSelect setSelH setSelV mouseDown mouseUp mouseMove mouseLeave dblClick cacheMouse updateCursor " \
        "setFocus setSeries toggleDOM setAlpha addSeries delSeries setBand addBand delBand initCursorPt getPos_ " \
        "fire pubSync pub onMouse offMouse invalidateRects hasData cacheStrokeFill drawPath fillStroke strokeFill doStroke doFill", names, " ")
  for (i in names) if (names[i] !~ /_$/) drop[names[i]] = 1
  gone["^uPlot\\.(assign|fmtNum|rangeNum|rangeLog|rangeAsinh|orient|pxRatio|sync) +="]
  gone["^\tuPlot\\.(join|fmtDate|tzDate|addGap|clipGaps) +="]
  gone["^\t\\(paths\\."]
  gone["^const (rectH|rectV|drawAccH|drawAccV|arcH|arcV|moveToH|moveToV|lineToH|lineToV|bezierCurveToH|bezierCurveToV) +="]
  gone["^const (linearPath|pointsPath) +="]
  gone["^const \\[ timeIncrs"]
  gone["^\tconst (_timeAxisSplits|_timeAxisVals|_timeSeriesVal|_tzDate|_fmtDate) +="]
  gone["^\tconst (showLegend|showCursor|cursorFocus|cursorOnePt) +="]
  gone["^\t+let isTime +="]
  gone["^\t+(const sync = _sync|sync\\.(sub|unsub)\\(|cursorPlots\\.(add|delete)|mouseListeners\\.clear|events\\.[a-z]+ = )"]
  gone["^const (days3|months3|numFormatter|localTz|cursorPlots) +="]
  gone["^genIncrs\\(2, "]
  gone["^\ton\\((resize|scroll), win, invalidateRects"]
  gone["^\tconst (legend|markers|drag|syncKey) +="]
  gone["^\t\t(legend\\.idxs|markers\\.[a-z]+ +) ?="]
  gone["^\tlet drag[XY] ="]
  gone["^\tif \\(syncOpts\\.match\\."]
  gone["^\t\tsyncOpts\\.match\\.push"]
  gone["^\t(cursor\\.sync|self\\.pub) = "]
  # From such a line to the one that closes it.
  block["^const (months|days) = "]
  block["^const engNames = "]
  block["^\ton\\(\"click\", wrap"]
  block["^\t\\(opts\\.plugins"]
  block["^\tbands\\.forEach"]
  block["^\tconst syncOpts = "]
  block["^\tevents\\[\"setSeries\"\\] = "]
  for (p in block) block[p] = 0
  # Lines alone, without fills, bands, gaps, points and effects of the focus.
  put["drawSeries"] = "if (dataLen > 0) series.forEach((s, i) => { if (i == 0) return;" \
    "s._paths ??= s.paths(self, i, ...getOuterIdxs(data[i]));" \
    "const width = roundDec(s.width * pxRatio, 3); setCtxStyle(s.stroke, width, s.dash, s.cap);" \
    "ctx.save(); ctx.beginPath(); ctx.rect(plotLft - width / 2, plotTop - width / 2, plotWid + width, plotHgt + width);" \
    "ctx.clip(); ctx.stroke(s._paths.stroke); ctx.restore(); });"
  put["initSeries"] = "s._paths = null;"
  put["getMinMax"] = "let low = inf, high = -inf; for (let i = _i0; i <= _i1; i++) { const v = data[i];" \
    "if (v != null) { low = min(low, v); high = max(high, v); } } return [low, high];"
  put["initScale"] = "if (scales[scaleKey]) return; const sc = scales[scaleKey] = assign({}, scaleKey == xScaleKey ? xScaleOpts : yScaleOpts," \
    "(opts.scales || EMPTY_OBJ)[scaleKey], {key: scaleKey, _min: null, _max: null}); sc.range = fnOrSelf(sc.range || snapNumX);" \
    "sc.auto = fnOrSelf(sc.auto); sc.valToPct = initValToPct(sc);"
  gone["^\tself\\.(addSeries|delSeries|setSeries|addBand|setBand|delBand|setLegend|setSelect) = "]
}
{ for (p in gone) if ($0 ~ p && !skip) { gone[p] = 1; hit = 1 } }
hit { hit = 0; next }
skip {
  if ($0 ~ "^" tabs "[}\\]]") skip = 0
  next
}
{
  for (p in block) if ($0 ~ p) {
    block[p] = 1
    tabs = substr($0, 1, 1) == "\t" ? "\t" : ""
    skip = 1
    next
  }
}
# Choices that are not offered: what is left of them comes with the chart's options.
/^const (cursorOpts|legendOpts|xySeriesOpts) = \{/ {
  print $1, $2, "= {};"
  tabs = ""
  skip = 1
  objects++
  next
}
match($0, /^\t?function [A-Za-z0-9_]+\(/) {
  tabs = substr($0, 1, 1) == "\t" ? "\t" : ""
  name = $0
  sub(/^\t?function /, "", name)
  sub(/\(.*/, "", name)
  if (name in put) {
    print
    print put[name] "\n" tabs "}"
    found[name] = 1
    skip = 1
    next
  }
  if (name in drop) {
    print tabs "function " name "() {}"
    found[name] = 1
    skip = 1
    next
  }
}
{
  # One kind of chart: time from left to right, linear scales, no legend, no cursor, no axis titles.
  gsub(/mode == 2|(sc|wsc|scale)\.distr == [234]|scaleX\.ori == 1|axis\.label != null|isTime|cursor\.dataIdx == null/, "false")
  gsub(/showLegend|showCursor|cursorFocus|cursorOnePt|select\.show|legend\.(live|show)/, "false")
  gsub(/mode == 1|scaleX\.ori == 0/, "true")
  sub(/s\.paths \|\| linearPath \|\| retNull/, "s.paths")
  sub(/paths: pointsPath,/, "paths: null,")
  print
}
END {
  for (name in drop) if (!(name in found)) { print "trim-uplot: no function " name > "/dev/stderr"; bad = 1 }
  if (objects != 3) { print "trim-uplot: the objects of choices differ" > "/dev/stderr"; bad = 1 }
  for (name in put) if (!(name in found)) { print "trim-uplot: no function " name > "/dev/stderr"; bad = 1 }
  for (p in block) if (!block[p]) { print "trim-uplot: no block " p > "/dev/stderr"; bad = 1 }
  for (p in gone) if (!gone[p]) { print "trim-uplot: no line " p > "/dev/stderr"; bad = 1 }
  exit bad
}
